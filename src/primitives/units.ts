import { ConfigurationError } from './failure.ts';

/** Milliseconds, or a number with its unit: `'250ms'`, `'5s'`, `'2m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** Bytes, or a number with its unit (powers of 1,000): `'500B'`, `'64kB'`, `'10MB'`, `'1GB'`. */
export type Size = number | `${number}${'B' | 'kB' | 'MB' | 'GB'}`;

/** The bytes of a body, of a key or of a record. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Reads a number of the base unit, or a string of a number and its unit. */
const quantity =
  (base: string, units: Record<string, number>) =>
  (value: unknown, option: string): number => {
    if (typeof value === 'number' && value >= 0) return value;
    const [, figure, unit = ''] = /^(\d+(?:\.\d*)?)\s*([a-z]+)$/i.exec(String(value).trim()) ?? [];
    const factor = Object.hasOwn(units, unit) && units[unit];
    if (factor && value === `${figure}${unit}`) return Number(figure) * factor;
    const examples = Object.keys(units).map((each) => ` '5${each}'`);
    throw new ConfigurationError(
      option,
      value,
      factor
        ? `did you mean '${figure}${unit}'?`
        : `expected a number of ${base} or a string such as${examples}`,
    );
  };

/** @throws {ConfigurationError} naming the option, the value and what is allowed. */
export const milliseconds = /* @__PURE__ */ quantity('milliseconds', {
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 36e5,
  d: 864e5,
});

/** @throws {ConfigurationError} naming the option, the value and what is allowed. */
export const bytes = /* @__PURE__ */ quantity('bytes', { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 });
