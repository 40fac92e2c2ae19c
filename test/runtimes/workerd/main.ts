import { DurableObject } from 'cloudflare:workers';

/** Durable Objects in which tests run: with a database, and of the kind that came before. */
export class Box extends DurableObject {}
export class BoxWithoutSql extends DurableObject {}

export default {};
