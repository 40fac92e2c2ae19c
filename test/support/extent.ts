/**
 * How often a test does what chance is part of: kills, random pipelines. `npm run soak` does it `soak` times, `npm test` less
 * often, and `HOLDFAST_TIMES` says a number of its own.
 */
export const times = (of: { readonly test: number; readonly soak: number }): number =>
  Number(process.env.HOLDFAST_TIMES ?? (process.env.HOLDFAST_SOAK ? of.soak : of.test));
