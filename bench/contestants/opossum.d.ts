/** It brings no types; this is what is used of it. */
declare module 'opossum' {
  export default class CircuitBreaker<Args extends unknown[], Result> {
    constructor(
      action: (...args: Args) => Promise<Result>,
      options: { readonly timeout: number; readonly resetTimeout: number },
    );
    fire(...args: Args): Promise<Result>;
  }
}
