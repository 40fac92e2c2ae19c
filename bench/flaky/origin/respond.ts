import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault } from './weather.ts';

/** About 1 kB, from which the caller can tell that it is whole and its own. */
const bodyOf = (call: number): string => JSON.stringify({ call, items: Array.from({ length: 20 }, item) });
const item = (_: unknown, index: number) => ({ id: index, name: `item ${index}`, price: index * 100 });

const headers = { 'access-control-allow-origin': '*', 'content-type': 'application/json' };

export function respond(
  fault: Fault | undefined,
  { call, request, response }: { call: number; request: IncomingMessage; response: ServerResponse },
): void {
  const body = bodyOf(call);
  switch (fault) {
    case undefined:
      response.writeHead(200, headers).end(body);
      return;
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'truncated':
    case 'stalled':
      response.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(body) });
      response.write(body.slice(0, body.length / 2), () => {
        if (fault === 'truncated') request.socket.destroy();
      });
      return;
    case '429':
      response.writeHead(429, { ...headers, 'retry-after': '1' }).end('{}');
      return;
    default:
      response.writeHead(Number(fault), headers).end('{}');
  }
}

/** Two lines of NDJSON with a pause in between. */
export function stream(call: number, pause: number, response: ServerResponse): void {
  response.writeHead(200, { ...headers, 'content-type': 'application/x-ndjson' });
  response.write(`${JSON.stringify({ call, line: 1 })}\n`);
  setTimeout(() => response.end(`${JSON.stringify({ call, line: 2 })}\n`), pause);
}
