import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, bytes } from './answer.ts';
import { corsHeaders } from './cors.ts';
import type { Manner } from './script.ts';

export interface Delivery {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly manner: Manner;
  /** Called before the connection is broken on purpose, so that the client is not blamed for it. */
  breaking?(how: 'reset' | 'cut'): void;
  /** Called before the last byte leaves, so that the client's next action comes after this request. */
  done?(): void;
}

/** Ends the connection before a single byte of an answer. */
export function reset({ response, breaking, done }: Delivery): void {
  breaking?.('reset');
  done?.();
  // A real RST, which is "connection reset" in every client; a mere FIN means different things to different ones.
  response.socket?.resetAndDestroy();
}

/** Sends the answer, in the manner that was asked for. */
export async function deliver(wanted: Answer, delivery: Delivery): Promise<void> {
  const { request, response, manner, breaking, done } = delivery;
  const answer = dressed(wanted, manner);
  const bodiless = request.method === 'HEAD' || answer.status === 204 || answer.status === 304;
  const plan = bodiless
    ? { pieces: [], length: answer.body.length, ending: 'end' as const }
    : planned(answer, manner);

  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  if (plan.length !== undefined && !(bodiless && request.method !== 'HEAD')) {
    response.setHeader('Content-Length', plan.length);
  }
  if (manner.keepAlive === false) response.setHeader('Connection', 'close');
  setLines(response, manner);
  for (const [name, value] of corsHeaders(request, manner, response.getHeaderNames()))
    response.appendHeader(name, value);

  if (plan.pieces.length > 1 || plan.ending !== 'end') response.flushHeaders();
  for (const [index, piece] of plan.pieces.entries()) {
    if (manner.drip !== undefined && index > 0) await sleep(manner.drip, undefined, { ref: false });
    if (response.destroyed) return;
    if (index === plan.pieces.length - 1 && plan.ending === 'end') break;
    await new Promise<void>((written) => response.write(piece, () => written()));
  }
  if (plan.ending === 'never' || response.destroyed) return;
  done?.();
  if (plan.ending === 'end') {
    response.end(plan.pieces.at(-1));
  } else {
    breaking?.('cut');
    response.destroy();
  }
}

interface Plan {
  readonly pieces: readonly Buffer[];
  /** The Content-Length; without it the body is sent in HTTP chunks. */
  readonly length?: number;
  readonly ending: 'end' | 'cut' | 'never';
}

function planned({ body, pieces }: Answer, { resetBody, stall, drip, chunk = 16 }: Manner): Plan {
  // More is announced than is sent, however short the body is, or the client would take it for complete.
  if (stall !== undefined) {
    return {
      pieces: cut(body.subarray(0, stall)),
      length: Math.max(body.length, stall + 1),
      ending: 'never',
    };
  }
  if (resetBody) {
    return {
      pieces: cut(body.subarray(0, body.length / 2)),
      length: Math.max(body.length, 1),
      ending: 'cut',
    };
  }
  return pieces ? { pieces, ending: 'end' } : { pieces: cut(body), length: body.length, ending: 'end' };

  function cut(sent: Buffer): Buffer[] {
    if (drip === undefined || sent.length === 0) return sent.length === 0 ? [] : [sent];
    return Array.from({ length: Math.ceil(sent.length / chunk) }, (_, nth) =>
      sent.subarray(nth * chunk, (nth + 1) * chunk),
    );
  }
}

/** The answer with the body, type and Retry-After that were asked for. */
function dressed(answer: Answer, { body, size, type, retryAfter }: Manner): Answer {
  const own = body !== undefined || size !== undefined;
  return {
    ...answer,
    headers: {
      ...answer.headers,
      ...(own && {
        'Content-Type': size === undefined ? 'text/plain; charset=utf-8' : 'application/octet-stream',
      }),
      ...(type !== undefined && { 'Content-Type': type }),
      ...(retryAfter !== undefined && { 'Retry-After': retryAfter }),
    },
    ...(own && { body: size === undefined ? Buffer.from(body ?? '') : bytes(size), pieces: undefined }),
  };
}

/** The first line of a name replaces what the route says, further ones are added, an empty one takes it away. */
function setLines(response: ServerResponse, { header = [] }: Manner): void {
  const seen = new Set<string>();
  for (const [name, value] of header) {
    if (value === '') {
      response.removeHeader(name);
      if (name.toLowerCase() === 'date') response.sendDate = false;
    } else if (seen.has(name.toLowerCase())) {
      response.appendHeader(name, value);
    } else {
      response.setHeader(name, value);
    }
    seen.add(name.toLowerCase());
  }
}
