// The style sheet of the status page, and its digest.
//
// The page allows exactly this style sheet: its Content-Security-Policy names the digest. A test computes it again, and
// measures the contrast of the colours: WCAG 2.2 level AA, 4.5 to 1 for text and 3 to 1 for what is drawn.

// A verdict has one colour everywhere. Beside each colour stands its name, for people who see some colours alike.
const LIGHT = `
--page:#f4f6f8;--panel:#fff;--ink:#1a232e;--soft:#566273;--line:#dce2e9;--faint:#eef1f5;
--ok:#177245;--ok-wash:#e8f5ee;--warn:#8a5300;--warn-wash:#fdf3e0;--bad:#b3261e;--bad-wash:#fdebea;
--pass:#4a86b8;--tag:#8062c4;--bypass:#7e8a99;--unchecked:#b9770a;--reject:#c73e36;--tempfail:#d1638f;--discard:#6d4a3a;
--quarantine:#6f8217;--sessions:#2c8a83`;

const DARK = `
--page:#10151b;--panel:#181f28;--ink:#e4e9ef;--soft:#9aa7b6;--line:#2b3542;--faint:#212a35;
--ok:#5fcf95;--ok-wash:#14281f;--warn:#e9b452;--warn-wash:#2c2312;--bad:#ff8a80;--bad-wash:#331a1b;
--pass:#5b9bd0;--tag:#a68ee2;--bypass:#8592a2;--unchecked:#dfa136;--reject:#ee6a61;--tempfail:#f2a5c3;--discard:#b38a76;
--quarantine:#b2c34b;--sessions:#4fb5ad`;

const VERDICTS = ["pass", "tag", "bypass", "unchecked", "reject", "tempfail", "discard", "quarantine", "sessions"];

export const STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box;margin:0}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{background:var(--page);color:var(--ink);font:.875rem/1.45 system-ui,"Segoe UI",Roboto,Ubuntu,Cantarell,"DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
body>*{max-width:84rem;margin-inline:auto;padding-inline:clamp(.75rem,2vw,1.5rem)}
h1{font-size:1.0625rem;font-weight:650}
h2{font-size:.875rem;font-weight:650}
a{color:inherit;text-underline-offset:.15em}
a:focus-visible{outline:2px solid var(--pass);outline-offset:2px}
header{display:flex;flex-wrap:wrap;gap:.125rem 1rem;align-items:baseline;justify-content:space-between;padding-block:.875rem .625rem}
header p,footer,figcaption p,.note,caption p{color:var(--soft);font-size:.8125rem;font-weight:400}
main{display:grid;grid-template-columns:repeat(12,minmax(0,1fr));gap:.75rem}
main>*{grid-column:1/-1;background:var(--panel);border:1px solid var(--line);border-radius:.5rem;padding:.75rem .875rem;min-width:0}
.state{display:flex;gap:.75rem;align-items:baseline;border-left:.375rem solid var(--tone);background:var(--wash)}
.state strong{color:var(--tone);font-size:1.25rem;line-height:1.2;white-space:nowrap}
.state strong::before{content:"";display:inline-block;width:.7em;height:.7em;margin-right:.45em;background:var(--tone);forced-color-adjust:none}
.state ul{list-style:none;padding:0;min-width:0}
.state.ok{--tone:var(--ok);--wash:var(--ok-wash)}.state.ok strong::before{border-radius:50%}
.state.warn{--tone:var(--warn);--wash:var(--warn-wash)}.state.warn strong::before{clip-path:polygon(50% 0,100% 100%,0 100%)}
.state.bad{--tone:var(--bad);--wash:var(--bad-wash)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));padding:0;overflow:hidden}
.tiles div{padding:.625rem .875rem;box-shadow:1px 1px var(--line)}
.tiles dt{color:var(--soft);font-size:.8125rem}
.tiles dd:nth-of-type(1){font-size:1.5rem;font-weight:600;line-height:1.25;letter-spacing:-.01em}
.tiles dd:nth-of-type(2){color:var(--soft);font-size:.8125rem}
.tiles small{font-size:.875rem;font-weight:400;color:var(--soft);letter-spacing:0}
.warn dd:nth-of-type(1){color:var(--warn)}.bad dd:nth-of-type(1){color:var(--bad)}
figcaption{display:flex;flex-wrap:wrap;gap:0 .75rem;align-items:baseline;justify-content:space-between;margin-bottom:.5rem}
.plot{display:flex;flex-direction:column;height:100%}
.frame{flex:1;max-height:20rem;display:grid;grid-template:minmax(7.5rem,1fr) auto/auto minmax(0,1fr);gap:.25rem .5rem;color:var(--soft);font-size:.75rem}
.frame svg{display:block;width:100%;height:100%}
#messages-plot .frame{grid-template-rows:minmax(11rem,1fr) auto}
.up{display:flex;flex-direction:column;justify-content:space-between;text-align:right;line-height:1;margin-block:-.3em}
.along{grid-column:2;display:grid;grid-template-columns:repeat(4,minmax(0,1fr));line-height:1.2}
.along b{grid-area:1/4;justify-self:end;font-weight:400}.along span:nth-child(4){grid-area:1/4}
.grid{fill:none;stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}
.before{fill:var(--faint)}
.hit{fill:transparent}.hit:hover{fill:var(--ink);fill-opacity:.1}
.now{opacity:.5}
${VERDICTS.map((name) => `.${name}{--mark:var(--${name})}path.${name}{fill:var(--${name})}`).join("\n")}
.dot::before{content:"";display:inline-block;width:.625rem;height:.625rem;margin-right:.4rem;border-radius:.125rem;background:var(--mark);forced-color-adjust:none}
table{width:100%;border-collapse:collapse}
caption{text-align:left;margin-bottom:.375rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-top:1px solid var(--line);font-weight:400}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:.8125rem;border-top:0;vertical-align:bottom}
.n{text-align:right;white-space:nowrap}
thead .n{white-space:normal;overflow-wrap:normal}
.checks tbody th{min-width:5.75rem}
.verdicts tbody th{white-space:nowrap}
.zero{color:var(--soft)}
.alarm{color:var(--warn);font-weight:650}
.span{display:block;width:100%;height:.375rem;margin-top:.125rem}
.span .rail{fill:var(--faint)}.span .range{fill:var(--sessions)}
tfoot td,tfoot th{font-weight:650}
.refusals table{table-layout:fixed}
.refusals td{font-size:.8125rem}
.refusals .n{padding-right:1rem}
.refusals time{white-space:nowrap}
.w-time{width:4.75rem}.w-verdict{width:7rem}.w-check{width:6rem}.w-sender{width:18%}.w-n{width:4rem}.w-client{width:17%}
.null{color:var(--soft)}
footer{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding-block:.875rem 1.5rem}
@media (min-width:60rem){
.wide{grid-column:span 8}.side{grid-column:span 4}.third{grid-column:span 4}
}
@media (min-width:40rem) and (max-width:59.99rem){
.tiles{grid-template-columns:repeat(4,minmax(0,1fr))}
.half{grid-column:span 6}
}
@media (max-width:59.99rem){
.refusals table,.refusals caption,.refusals tbody,.refusals tr,.refusals td{display:block}
.refusals thead,.refusals colgroup{display:none}
.refusals tr{border-top:1px solid var(--line);padding-block:.5rem}
.refusals td{border:0;padding:.0625rem 0;text-align:left;white-space:normal}
.refusals td[data-label]{display:grid;grid-template-columns:5.25rem minmax(0,1fr);gap:.5rem}
.refusals td[data-label]::before{content:attr(data-label);color:var(--soft)}
.refusals td:nth-child(-n+3){display:inline-block;margin-right:.875rem;font-weight:650}
}
@media (max-width:26rem){
.along span:nth-child(2n){visibility:hidden}
.checks .count{display:none}
th,td{padding-right:.5rem}
td,tbody th{font-size:.8125rem}
.state{flex-direction:column;gap:.25rem}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}
.tiles div:last-child:nth-child(odd){grid-column:1/-1}
}
@media print{body{background:none}main>*{break-inside:avoid}.refusals{break-inside:auto}}
`;

/** The SHA-256 of `STYLE`, in base64. */
export const STYLE_DIGEST = "oiRsAME6g9aAgp1wl4dZ0mVFyXWuWEA/8yhjB82h5v8=";
