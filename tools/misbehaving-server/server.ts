import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type Answer, empty, json, problem } from './answer.ts';
import { BadBehaviour } from './behaviour.ts';
import { type Controlled, control } from './control.ts';
import { isPreflight, preflightHeaders } from './cors.ts';
import { type Delivery, deliver, reset } from './deliver.ts';
import { fileJournal, noJournal } from './journal.ts';
import { createLedger, HEARD_LATE, type LedgerLine, parseKey, type Write } from './ledger.ts';
import { type Listener, listen } from './listener.ts';
import { refusal, substitute, withStatus } from './misbehave.ts';
import { createOAuth } from './oauth.ts';
import { createOrders, type OrderLine } from './orders.ts';
import { createRequestLog } from './request-log.ts';
import { type Exchange, isWrite, route } from './routes.ts';
import { createScript, type Manner } from './script.ts';

export interface ServerOptions {
  /** Default 0: any that is free. */
  port?: number;
  /** A second port, 0 for any, on which only control answers, and which stays when the main one vanishes. Default none. */
  controlPort?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /**
   * Whether a connection serves more than one request. Without it the counts are exact in browsers too: Chromium sends
   * a request again by itself, a POST as well, when the connection that it reused is reset. Default true.
   */
  keepAlive?: boolean;
  /** A file that carries ledger and orders over a restart. Default none. */
  state?: string;
  /** Prints a line for each request on standard error. Default false. */
  log?: boolean;
}

export interface MisbehavingServer {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Where control is sure to be reached: the control port if there is one, else the same as `url`. */
  readonly controlUrl: string;
  close(): Promise<void>;
}

/** Starts a server that behaves until it is asked not to. */
export async function startServer(options: ServerOptions = {}): Promise<MisbehavingServer> {
  const {
    port = 0,
    controlPort,
    host = '127.0.0.1',
    keepAlive = true,
    state,
    log: printing = false,
  } = options;
  const journal =
    state === undefined ? noJournal<LedgerLine | OrderLine>() : fileJournal<LedgerLine | OrderLine>(state);
  const script = createScript();
  const ledger = createLedger(journal.append);
  const orders = createOrders(journal.append);
  const oauth = createOAuth();
  const log = createRequestLog(printing ? (line) => process.stderr.write(`${line}\n`) : undefined);
  let returning: NodeJS.Timeout | undefined;

  for (const line of journal.lines()) {
    if (line.kind === 'order') orders.restore(line);
    else ledger.restore(line);
  }

  const main = await listen((request, response) => guard(answer(request, response), response), {
    host,
    port,
    keepAlive,
  });
  const second: Listener | undefined =
    controlPort === undefined
      ? undefined
      : await listen((request, response) => guard(answerControl(request, response), response), {
          host,
          port: controlPort,
          keepAlive,
        });

  const controlled: Controlled = {
    script,
    ledger,
    log,
    hasControlPort: second !== undefined,
    vanished: () => !main.open,
    async vanish(ms) {
      clearTimeout(returning);
      log.vanishing();
      await main.shut();
      if (ms !== undefined) returning = setTimeout(() => void main.reopen(), ms);
    },
    async comeBack() {
      clearTimeout(returning);
      await main.reopen();
    },
    reset() {
      script.reset();
      ledger.clear();
      orders.clear();
      oauth.clear();
      log.clear();
      journal.clear();
    },
  };

  const used = new WeakSet<Socket>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = { ...parts(request), reused: used.has(request.socket) };
    used.add(request.socket);
    if (isControl(asked.path)) return answerControl(request, response);
    const preflight = isPreflight(request);
    const visit = log.arrive(asked, response, preflight);
    try {
      const manner = script.settle(asked, { looking: preflight });
      if (preflight) return await deliverPreflight(request, response, manner);
      response.setHeader('X-Request-Id', `request-${visit.id}`);
      await receive(asked, {
        request,
        response,
        manner,
        breaking: (how) => {
          visit.ended = how;
        },
      });
    } catch (error) {
      if (!(error instanceof BadBehaviour)) throw error;
      request.resume();
      await deliver(json(400, { error: error.message }), { request, response, manner: {} });
    }
  }

  /** Enters a write in the ledger as it arrives, and takes it out of flight however it ends. */
  async function receive(asked: ReturnType<typeof parts>, delivery: Delivery): Promise<void> {
    const { request, response } = delivery;
    const key = parseKey(request.headers['idempotency-key']?.toString());
    const lane = request.headers['x-lane']?.toString() ?? null;
    const write = isWrite(asked.method) ? ledger.arrive({ ...asked, key: key ?? null, lane }) : undefined;
    const leave = (isGone: boolean) => write && ledger.leave(write, isGone);
    const done = () => leave(false);
    // A hanging or stalled request is in flight until its connection ends, and a delayed one no longer than that.
    response.once('close', () => leave(true));
    try {
      const body = await read(request);
      if (body === undefined) return;
      if (write) ledger.read(write, body);
      if (key !== undefined) return await treat({ ...asked, body, key }, write, { ...delivery, done });
      await deliver(problem(400, 'The Idempotency-Key is not one', { code: 'key-malformed' }), delivery);
    } finally {
      if (write) ledger.settle(write);
    }
  }

  /** From here on the request is complete, and only the manner decides what becomes of it. */
  async function treat(exchange: Exchange, write: Write | undefined, delivery: Delivery): Promise<void> {
    const { manner } = delivery;
    const { delay, hang, reset: resetting, unknown, status } = manner;
    const instead = substitute(manner, exchange.headers.authorization);
    const goesThrough = instead === undefined && (unknown || !(hang || resetting));
    // A request that will never be looked at does not keep its key from the next one.
    if (write && !goesThrough) ledger.settle(write);
    // One that is late takes effect all the same when its client has gone: that is what makes time limits dangerous.
    if (delay !== undefined) await sleep(delay, undefined, { ref: false });
    const own = goesThrough ? perform(exchange, write, manner) : undefined;
    if (write) ledger.settle(write);

    if (write && write.met.length > 0) await endOfClient();
    if (hang || delivery.response.destroyed) return;
    if (resetting) return reset(delivery);
    if (own === undefined) return deliver(instead ?? empty(500), delivery);
    if (!unknown) return deliver(withStatus(own, status), pacedFor(own, delivery));
    // The effect has taken place, and the client is not to know.
    return status === undefined || status < 300 ? reset(delivery) : deliver(refusal(status), delivery);
  }

  function perform(exchange: Exchange, write: Write | undefined, { honourKey = true }: Manner): Answer {
    const { hasEffect, answer } = route(exchange, orders, oauth);
    if (!write || !hasEffect) return answer();
    return ledger.apply(write, exchange.method, exchange.path, honourKey, answer);
  }

  async function answerControl(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const manner: Manner = {};
    if (isPreflight(request)) return deliverPreflight(request, response, manner);
    const body = await read(request);
    if (body === undefined) return;
    const exchange: Exchange = { ...parts(request), body, key: null };
    const onMainPort = request.socket.localPort === main.port;
    const { answer, afterwards } = await control(exchange, onMainPort, controlled);
    if (afterwards) response.once('finish', afterwards);
    await deliver(answer, { request, response, manner });
  }

  return {
    url: main.url,
    port: main.port,
    controlUrl: second?.url ?? main.url,
    async close() {
      clearTimeout(returning);
      await Promise.all([main.shut(), second?.shut()]);
    },
  };
}

/** The body of a client that has gone may still be read when the next request arrives; its end comes after the body. */
async function endOfClient(): Promise<void> {
  await sleep(HEARD_LATE, undefined, { ref: false });
  await turn();
}

/** Succeeds in spite of the other faults: these are for the request itself, and CORS has its own parameters. */
function deliverPreflight(request: IncomingMessage, response: ServerResponse, asked: Manner): Promise<void> {
  const { cors = true, expose = true, keepAlive = true } = asked;
  return deliver(empty(204, preflightHeaders(request, asked)), {
    request,
    response,
    manner: { cors, expose, keepAlive },
  });
}

/** An event stream drips even if no test asks for it. */
function pacedFor(answer: Answer, delivery: Delivery): Delivery {
  return answer.pieces ? { ...delivery, manner: { drip: 50, ...delivery.manner } } : delivery;
}

function isControl(path: string): boolean {
  return path === '/control' || path.startsWith('/control/');
}

function parts({ method = 'GET', url = '/', headers }: IncomingMessage) {
  const { pathname: path, searchParams: query } = new URL(`http://server${url}`);
  return { method, url, path, query, headers };
}

/** `undefined` when the client went away before it had sent everything. */
async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

/** A mistake in this server must show as one, and not as a request that never ends. */
function guard(answering: Promise<void>, response: ServerResponse): void {
  answering.catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { 'Content-Type': 'text/plain' }).end(String(error));
  });
}
