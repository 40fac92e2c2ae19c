import { ConfigurationError } from '../../primitives/failure.ts';

/** The class of a Durable Object. */
// biome-ignore lint/suspicious/noExplicitAny: what the platform gives it is of the platform's own type
export type ObjectClass<Env, Instance> = abstract new (ctx: any, env: Env) => Instance;

/** As the class that a mixin extends. */
// biome-ignore lint/suspicious/noExplicitAny: TypeScript wants it of the constructor of a mixin (TS2545)
export type Mixable = abstract new (...args: any[]) => object;

export function mixable(Base: unknown, option: string): Mixable {
  if (typeof Base === 'function') return Base as Mixable;
  throw new ConfigurationError(option, Base, "expected `DurableObject` of 'cloudflare:workers'");
}
