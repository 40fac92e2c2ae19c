import type { RuntimeName } from './row.ts';

const signs: readonly [sign: string, name: RuntimeName][] = [
  ['Node.js', 'node'],
  ['Deno', 'deno'],
  ['Bun', 'bun'],
  ['Cloudflare-Workers', 'workerd'],
  ['Firefox', 'firefox'],
  ['Chrome', 'chromium'],
  ['AppleWebKit', 'webkit'],
];

/** The first sign counts: WebKit's is in Chromium's name as well. */
export function runtime(): RuntimeName {
  const { userAgent } = navigator;
  const name = signs.find(([sign]) => userAgent.includes(sign))?.[1];
  if (!name) throw new Error(`Nobody knows "${userAgent}"`);
  return name;
}
