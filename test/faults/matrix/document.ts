import { expected } from './expected.ts';
import { type FaultName, faultOf, faults } from './faults.ts';
import { type Note, notes } from './notes.ts';
import { policySets } from './policies.ts';
import type { Difference, Row, RuntimeName } from './row.ts';

/** The command that writes this document; the test that compares names it too. */
export const COMMAND = 'UPDATE=1 npm test -- faults/matrix --only node';

const HEAD = `# What becomes of a call

Each row is one call that was made against a server which misbehaves, in Node, Chromium, Firefox, WebKit, Deno, Bun and
Cloudflare Workers: which policies, which request, what came of it. The rows cover every pair of fault, policies, method and
how often the fault occurs, not every combination.

This page is generated from \`test/faults/matrix/expected.ts\`, and each runtime is held to it: \`npm test -- faults/matrix\`.
After a change of that file: \`${COMMAND}\`.

## How to read it

| column | what it says |
|---|---|
| Policies | what was added to the defaults, which are time limits, retry and breaker; “all off” is the platform's fetch |
| Method | “POST, key” is a POST with an \`Idempotency-Key\` of the application's; the outbox gives a write its own if it has none |
| Fault | whether the fault befalls the first request only, or every one |
| Outcome | the status and where the response came from, or the error's \`name\` and \`code\`; “then”: what broke the body |
| Requests | how many the server counted; after the plus those that came to another origin; a range where the time for the last one may have run out, or where the platform repeats |
| Applied | how often a write took effect, at both origins together; one in the outbox after the server was well again; “kept” while it is not |
| Time | “at once”: no wait but for the network; “under 1 s”: one time limit or a wait of the breaker; “some seconds”: what the server asked for or took; “never”: until the caller gave up |
| Elsewhere | what is different in some runtimes, and why |

For faults of silence the limits were short (900 ms for an attempt, 400 ms between two pieces of a body); the backoff was 1 ms
throughout, and \`hedge\` sent its second attempt after 300 ms of silence. A time limit ends the call and not the server's
work: a write that is late is applied all the same, and by each origin that was asked.
`;

const display: Record<RuntimeName, string> = {
  node: 'Node',
  chromium: 'Chromium',
  firefox: 'Firefox',
  webkit: 'WebKit',
  deno: 'Deno',
  bun: 'Bun',
  workerd: 'Workers',
};

export function document(): string {
  const sections = (Object.keys(faults) as FaultName[]).map(section);
  const footnotes = Object.entries(notes).map(([name, text]) => `[^${name}]: ${text}`);
  return `${[HEAD.trimEnd(), ...sections, footnotes.join('\n')].join('\n\n')}\n`;
}

function section(fault: FaultName): string {
  const rows = expected.filter((row) => row.fault === fault);
  // Tables are easier to read without an empty column.
  const columns = allColumns.filter(({ of }) => rows.some((row) => of(row) !== ''));
  const cells = [
    columns.map(({ head }) => head),
    columns.map(() => '---'),
    ...rows.map((row) => columns.map(({ of }) => of(row))),
  ];
  return [`## ${faultOf(fault).title}`, '', ...cells.map((line) => `| ${line.join(' | ')} |`)].join('\n');
}

const allColumns: readonly { head: string; of(row: Row): string }[] = [
  { head: 'Policies', of: ({ policies }) => policySets[policies].words },
  { head: 'Method', of: ({ method }) => method },
  { head: 'Fault', of: ({ fault, span }) => (faultOf(fault).passes ? span : '') },
  { head: 'Outcome', of: ({ outcome }) => outcome },
  { head: 'Requests', of: ({ requests }) => requests },
  { head: 'Applied', of: ({ applied }) => applied },
  { head: 'Time', of: ({ time }) => time },
  { head: 'Elsewhere', of: ({ but }) => but.map(difference).join('; ') },
];

function difference({ in: where, outcome, requests, applied, time, why }: Difference): string {
  const facts = [
    outcome,
    requests !== undefined && counted(requests),
    applied !== undefined && `applied ${applied}`,
    time,
  ];
  const names = where.map((name) => display[name]).join(', ');
  return `${names}: ${facts.filter(Boolean).join(', ')}${reference(why)}`;
}

const counted = (requests: string): string => `${requests} ${requests === '1' ? 'request' : 'requests'}`;

const reference = (why: Note): string => `[^${why}]`;
