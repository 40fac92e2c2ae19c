import { ConfigurationError } from './failure.ts';

/** Milliseconds, or a number with its unit: `'250ms'`, `'5s'`, `'2m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** Bytes, or a number with its unit (powers of 1,000): `'500B'`, `'64kB'`, `'10MB'`, `'1GB'`. */
export type Size = number | `${number}${'B' | 'kB' | 'MB' | 'GB'}`;

/** The bytes of a body, of a key or of a record. */
export type Bytes = Uint8Array<ArrayBuffer>;

const durations = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
const sizes = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** @throws {ConfigurationError} naming the option, the value and what is allowed. */
export const milliseconds = (value: unknown, option: string): number =>
  quantity(
    value,
    option,
    durations,
    "a number of milliseconds or a string such as '250ms', '5s', '2m', '1d'",
  );

/** @throws {ConfigurationError} naming the option, the value and what is allowed. */
export const bytes = (value: unknown, option: string): number =>
  quantity(value, option, sizes, "a number of bytes or a string such as '64kB', '10MB'");

function quantity(value: unknown, option: string, units: Record<string, number>, allowed: string): number {
  if (typeof value === 'number' && value >= 0) return value;
  const [, figure, unit = ''] = /^(\d+(?:\.\d*)?)\s*([a-z]+)$/i.exec(String(value).trim()) ?? [];
  const factor = Object.hasOwn(units, unit) && units[unit];
  if (factor && value === `${figure}${unit}`) return Number(figure) * factor;
  throw new ConfigurationError(
    option,
    value,
    factor ? `did you mean '${figure}${unit}'?` : `expected ${allowed}`,
  );
}
