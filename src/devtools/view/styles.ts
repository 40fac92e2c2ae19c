/** Colours have a contrast of at least 4.5 to 1 with what is behind them. */
const LIGHT = `
  --back: #ffffff; --raised: #f6f8fa; --text: #1b1f24; --muted: #57606a; --line: #d0d7de; --control: #818b98;
  --accent: #0a58ca; --selected: #e3edfb; --shadow: rgb(31 35 40 / 18%);
  --good: #116329; --good-back: #dafbe1; --bad: #a40e26; --bad-back: #ffebe9;
  --waiting: #7d4e00; --waiting-back: #fff3c4; --stale: #5b36b8; --stale-back: #f0eafe; --plain-back: #eaeef2;
  color-scheme: light;`;

const DARK = `
  --back: #14171c; --raised: #1c2128; --text: #e6e9ee; --muted: #a3adb9; --line: #343b45; --control: #6b7684;
  --accent: #79b8ff; --selected: #1d324d; --shadow: rgb(0 0 0 / 60%);
  --good: #7ee2a0; --good-back: #123022; --bad: #ffa39d; --bad-back: #431a1d;
  --waiting: #f2cc60; --waiting-back: #352a0b; --stale: #c8b3ff; --stale-back: #2a2147; --plain-back: #2a313b;
  color-scheme: dark;`;

const FRAME = `
:host { all: initial; ${LIGHT} }
:host([theme=dark]) { ${DARK} }
@media (prefers-color-scheme: dark) { :host(:not([theme=light])) { ${DARK} } }
[hidden] { display: none !important; }
*, *::before { box-sizing: border-box; }
.badge, .dock { position: fixed; z-index: 2147483000; font: 13px/1.45 system-ui, sans-serif; color: var(--text); }
.badge { right: 16px; bottom: 16px; display: flex; align-items: center; gap: 6px; min-height: 40px; padding: 6px 14px;
  border: 1px solid var(--line); border-radius: 20px; background: var(--back); box-shadow: 0 4px 16px var(--shadow); cursor: pointer;
  max-width: calc(100vw - 32px); }
.badge .glance { display: flex; flex-wrap: wrap; gap: 4px; }
.badge b { font-weight: 600; }
.badge .dot { flex: none; width: 10px; height: 10px; border-radius: 50%; background: var(--good); }
.badge.bad .dot { background: var(--bad); } .badge.waiting .dot { background: var(--waiting); }
.dock { inset: auto 0 0; display: flex; flex-direction: column; height: var(--height, 45vh); min-height: 180px; max-height: 95vh;
  background: var(--back); border-top: 1px solid var(--line); box-shadow: 0 -6px 24px var(--shadow); }
.resize { height: 9px; margin-top: -5px; flex: none; cursor: row-resize; touch-action: none; position: relative; }
.resize::before { content: ''; position: absolute; left: 50%; top: 3px; width: 48px; height: 4px; margin-left: -24px;
  border-radius: 2px; background: var(--control); }
.head { display: flex; align-items: center; gap: 12px; padding: 0 12px; background: var(--raised); border-bottom: 1px solid var(--line); flex: none; }
.head .brand { font-weight: 600; }
.head .glance { display: flex; gap: 6px; margin-left: auto; }
.tabs { display: flex; overflow-x: auto; scrollbar-width: none; }
.tabs button { border: 0; border-bottom: 2px solid transparent; border-radius: 0; background: none; color: var(--muted); padding: 10px 12px; }
.tabs button[aria-selected=true] { color: var(--text); border-bottom-color: var(--accent); font-weight: 600; }
.content { flex: 1; min-height: 0; display: flex; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
button, select, input, textarea { font: inherit; color: var(--text); background: var(--back); border: 1px solid var(--control);
  border-radius: 6px; padding: 3px 10px; min-height: 28px; }
button { cursor: pointer; white-space: nowrap; }
button:hover:not(:disabled) { background: var(--selected); }
button:disabled { color: var(--muted); border-color: var(--line); cursor: default; }
button.main { background: var(--accent); border-color: var(--accent); color: var(--back); }
button.main:hover { background: var(--text); }
button.icon { border: 0; background: none; padding: 3px 8px; }
::placeholder { color: var(--muted); opacity: 1; }
.chip { display: inline-block; padding: 0 8px; border-radius: 10px; background: var(--plain-back); white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; }
.chip.good { color: var(--good); background: var(--good-back); } .chip.bad { color: var(--bad); background: var(--bad-back); }
.chip.waiting { color: var(--waiting); background: var(--waiting-back); }
.chip.stale { color: var(--stale); background: var(--stale-back); }
`;

const PANELS = `
.panel { flex: 1; min-width: 0; display: flex; flex-direction: column; }
.panel.scrolls { overflow: auto; }
[role=tabpanel] { flex: 1; min-width: 0; display: flex; }
.toolbar { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 6px 12px; border-bottom: 1px solid var(--line); flex: none; }
.toolbar .toolbar, .fault-form .toolbar { padding: 0; border: 0; }
.toolbar label { display: flex; align-items: center; gap: 6px; color: var(--muted); }
.count { margin-left: auto; color: var(--muted); font-variant-numeric: tabular-nums; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
.says, .hint { color: var(--muted); } .hint { margin: 6px 0; }
.split { flex: 1; min-height: 0; display: flex; position: relative; }
.list { flex: 1; min-width: 0; display: flex; }
.rows { flex: 1; overflow-y: auto; overflow-x: hidden; contain: strict; overflow-anchor: none; }
.space { position: relative; }
.row { position: absolute; left: 0; right: 0; top: 0; height: 30px; display: grid; align-items: center; gap: 10px; padding: 0 12px;
  border-bottom: 1px solid var(--line); white-space: nowrap; contain: strict; cursor: default; }
.row:hover { background: var(--raised); } .row[aria-selected=true] { background: var(--selected); }
.row > * { min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.row .chip { justify-self: start; max-width: 100%; }
.row.call { grid-template-columns: 88px 92px minmax(80px, 1fr) 170px 120px 62px; }
.row.circuit { grid-template-columns: 84px minmax(100px, 1fr) minmax(80px, 40%) 84px; }
.row.cached { grid-template-columns: 36px minmax(80px, 1fr) minmax(0, auto) 130px 90px 66px; }
.row.entry { grid-template-columns: 88px 64px minmax(80px, 1fr) minmax(0, auto) 140px; }
.row.line { grid-template-columns: 88px 150px minmax(80px, 1fr); }
time, .took, .why { color: var(--muted); font-variant-numeric: tabular-nums; } .took { text-align: right; }
.row b { font-weight: 600; font-size: 12px; }
code, pre, textarea, .url { font-family: ui-monospace, 'Cascadia Mono', Menlo, monospace; font-size: 12px; }
.bar { display: flex; gap: 1px; height: 10px; } .bar i { flex: 1 1 2px; min-width: 2px; border-radius: 2px; background: var(--muted); }
i.good { background: var(--good); } i.bad { background: var(--bad); } i.waiting { background: var(--waiting); }
i.stale { background: var(--stale); } .bar i.wait { opacity: .4; }
.url.parts { display: flex; } .parts span { overflow: hidden; text-overflow: ellipsis; min-width: 0; }
.parts span:last-child { flex: none; max-width: 100%; }
.details-body p { margin: 0 0 8px; }
.strip { position: relative; height: 12px; border-radius: 3px; background: var(--plain-back); } .strip i { position: absolute; inset: 0 auto; }
.gauge { height: 8px; border-radius: 4px; background: var(--plain-back); } .gauge i { display: block; height: 100%; background: var(--good); }
.gauge.stale i { background: var(--stale); }
.notice { margin: 0; padding: 6px 12px; color: var(--waiting); background: var(--waiting-back); border-bottom: 1px solid var(--line); flex: none; }
.empty { margin: auto; padding: 16px; max-width: 60ch; color: var(--muted); text-align: center; }
.details { width: min(46%, 560px); border-left: 1px solid var(--line); display: flex; flex-direction: column; background: var(--back); }
.details header { display: flex; align-items: start; gap: 8px; padding: 6px 6px 6px 14px; border-bottom: 1px solid var(--line); }
h2, h3 { margin: 0; font-size: 13px; } h2 { flex: 1; overflow-wrap: anywhere; padding: 3px 0; } h3 { margin: 12px 0 4px; }
.details-body { flex: 1; overflow: auto; padding: 10px 14px; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; margin: 0 0 10px; } dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; } .headers { font-size: 12px; }
pre { margin: 0 0 10px; padding: 8px; background: var(--raised); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
textarea { width: 100%; resize: vertical; margin: 8px 0; }
ol.steps, ul.plain, .rules { list-style: none; margin: 0; padding: 0; }
.steps li { display: grid; grid-template-columns: 84px 1fr auto; gap: 8px; padding: 2px 0; } .steps .chip { justify-self: start; max-width: 100%; white-space: normal; }
.lanes-box { flex: none; max-height: 40%; overflow: auto; border-bottom: 1px solid var(--line); }
.lanes { width: 100%; border-collapse: collapse; } caption { position: absolute; clip-path: inset(50%); }
.lanes th, .lanes td { text-align: left; padding: 3px 12px; font-weight: 400; border-bottom: 1px solid var(--line); }
.lanes thead th { color: var(--muted); } .lanes tbody th { font-family: ui-monospace, monospace; font-size: 12px; overflow-wrap: anywhere; }
.marks { display: inline-flex; gap: 3px; margin-right: 6px; vertical-align: middle; }
.marks i { width: 8px; height: 8px; border-radius: 2px; background: var(--waiting); }
.sending .marks i { background: var(--accent); } .delivered .marks i { background: var(--good); }
@keyframes arrive { from { transform: translateX(-24px); opacity: 0; } }
@keyframes pulse { 50% { opacity: .35; } }
.sending.active i { animation: pulse 1s infinite; } .delivered.active i:last-child { animation: arrive .4s ease-out; }
.fault-form { padding: 12px; border-bottom: 1px solid var(--line); }
.rules { padding: 12px; display: grid; gap: 8px; } .rules li { display: flex; flex-wrap: wrap; align-items: center; gap: 10px; }
.rules button { margin-left: auto; }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
@media (max-width: 640px) {
  .dock { height: 85vh; border-radius: 14px 14px 0 0; overflow: hidden; } .resize { margin-top: 3px; }
  .head { flex-wrap: wrap; gap: 0 8px; } .tabs { order: 3; width: 100%; } .head .brand { display: none; }
  .head .glance { margin: 0; } .head .icon { margin-left: auto; }
  button, select, input { min-height: 36px; }
  .details { position: absolute; inset: 0; width: auto; border: 0; z-index: 1; }
  .row.call { grid-template-columns: 62px minmax(60px, 1fr) 120px 58px; } .row.call time, .row.call .bar { display: none; }
  .row.circuit { grid-template-columns: 84px 1fr 70px; } .row.circuit .strip { display: none; }
  .row.cached { grid-template-columns: 34px 1fr 130px; } .row.cached .gauge, .row.cached .took, .row.cached .why { display: none; }
  .row.entry { grid-template-columns: 52px 1fr 130px; } .row.entry time, .row.entry .why { display: none; }
  .row.line { grid-template-columns: 130px 1fr; } .row.line time { display: none; }
  .marks { display: none; } .lanes th, .lanes td { padding: 3px 8px; } .toolbar label span { display: none; }
  .toolbar input[type=search] { width: 150px; }
}
`;

/** Constructed sheets are no inline styles: a strict CSP allows them. */
export function styleSheet(): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(FRAME + PANELS);
  return sheet;
}
