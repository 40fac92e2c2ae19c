import type { Measured } from './measure.ts';
import { type Judged, mainTable, timesTable } from './report.ts';

/** The rows of one table, and the contestants in it. */
export interface Section {
  readonly all: readonly Judged[];
  readonly names: readonly string[];
}

/** `docs/flaky.md`. */
export function document(
  { all, names }: Section,
  lag: Measured['lag'],
  others: readonly (Section & { readonly runtime: string })[],
): string {
  const calls = Math.max(...all.flatMap(({ found }) => Object.values(found).map((one) => one.calls)));
  const kept = all.filter(({ failures }) => failures.length === 0).length;
  return `# What your calls get on a bad network

This file is the output of \`npm run flaky -- --write\`. Do not edit it.

A real server on this machine breaks the network: it resets and refuses connections, responds 503 and 429, hangs, and
truncates bodies. The same calls go to it through native fetch, ky, ffetch, cockatiel, and holdfast (\`createFetch\`, and
\`createClient().json()\`), each with its defaults. A call succeeds if its status is below 400 and its whole body was read
and is right.

How to read the table:

- **A cell** has the share of calls that succeed, in percent, and the requests per call.
- **"30 % resets, 5 at once"**: each request is reset with a probability of 30 %. Five callers work side by side; each
  sends one call after the other. All contestants meet the same faults: the first attempt of call 7 has the same luck for each of them.
- **"check"** fails if fewer calls succeed than with the better of native fetch and ky (by more than 2 percentage points), or
  if holdfast sends more than ky: per call, and per call that succeeded. \`createFetch\` streams, so where bodies break it is
  compared with native fetch. In this run ${kept} of ${all.length} rows are ok.
- **Time limits**: in the rows with hangs, stalled bodies and silence each attempt of each contestant has 1 s. Native fetch has
  \`AbortSignal.timeout(1000)\`. In all other rows the defaults hold; native fetch has none.
- **A cached response**: holdfast has \`staleCache()\` and has seen each URL once. Its stale responses count as successes.
- **cockatiel** is \`wrap(retry, circuitBreaker, timeout)\` as in its README: 3 retries with exponential backoff, a
  \`ConsecutiveBreaker(5)\`, half-open after 10 s, and 10 s for an attempt. A POST without a key goes around its retry.
- **"goal"** is what we aim at; it fails no check. "≥ 99 %" is the share of calls that succeed, "≤ 0.9 ky" nine tenths of the
  requests of ky, "–" not compared.
- **ffetch** has 2 retries. Its retry of a request with a body fails before it is sent.

Each row has up to ${calls} calls per contestant, in up to 60 worlds. A world is a client and an origin of its own. The event
loops of the callers were ${lag.p99.toFixed(0)} ms late (99th percentile).

${mainTable(all, names)}

## Time to success

Median and 95th percentile in seconds, of the calls that succeeded, and requests per call that succeeded.

${timesTable(all, names)}

## Other runtimes

${otherRuntimes(others)}`;
}

function otherRuntimes(others: readonly (Section & { readonly runtime: string })[]): string {
  const command = '`npm run flaky -- --runtime deno`';
  if (others.length === 0)
    return `${command} (or \`chromium\`, \`firefox\`, \`workerd\`) prints a short form for another runtime.\n`;
  const tables = others.map(({ runtime, all, names }) => `\n${runtime}:\n\n${mainTable(all, names)}\n`);
  return `The same in a short form, ${command}: fewer rows, and native fetch as the only peer.
Browsers and Deno themselves repeat a request that is reset on a connection that was used before, so fewer calls fail there;
the table counts calls of \`fetch\`.
${tables.join('')}`;
}
