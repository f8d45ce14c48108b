// The resolver of both adapters. The first question loads it, because most runs ask none.

import type { ResolverPorts, StubResolver } from "../../dns/stub_resolver.ts";
import type { Resolver } from "../../ports/runtime.ts";

export function lazyResolver(ports: ResolverPorts): Resolver {
  let loading: Promise<StubResolver> | undefined;
  return {
    resolve: async (...question) => {
      loading ??= import("../../dns/stub_resolver.ts").then(({ StubResolver }) => new StubResolver(ports));
      return await (await loading).resolve(...question);
    },
  };
}
