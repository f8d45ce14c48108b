// File URLs to paths, without node:url.

/** The absolute path of a `file:` URL. */
export function fromFileUrl(url: URL): string {
  return decodeURIComponent(url.pathname);
}
