/**
 * A server of Deno or Bun. It collects garbage all the time: a body that only the platform reads
 * must survive that.
 */
import { handler } from './handler.ts';

interface Servers {
  readonly Deno?: {
    readonly args: string[];
    serve(options: object, handler: (request: Request) => Promise<Response>): unknown;
  };
  readonly Bun?: {
    readonly argv: string[];
    serve(options: object): { readonly port: number };
    gc(all: boolean): void;
  };
  readonly gc?: () => void;
}

const { Deno, Bun, gc } = globalThis as unknown as Servers;
const respond = handler((Deno?.args ?? Bun?.argv)?.at(-1) as string);
const here = { hostname: '127.0.0.1', port: 0 };

if (Deno)
  Deno.serve({ ...here, onListen: ({ port }: { port: number }) => console.log(port) }, (request) =>
    respond(request),
  );
else if (Bun) console.log(Bun.serve({ ...here, fetch: (request: Request) => respond(request) }).port);

setInterval(() => (gc ? gc() : Bun?.gc(true)), 30);
