import { type Answer, json } from './answer.ts';
import { BadBehaviour, behaviourFromJson, fields, status, string, wholeNumber } from './behaviour.ts';
import type { Ledger } from './ledger.ts';
import type { RequestLog } from './request-log.ts';
import type { Exchange } from './routes.ts';
import type { Script } from './script.ts';

export interface Controlled {
  readonly script: Script;
  readonly ledger: Ledger;
  readonly log: RequestLog;
  /** Whether control will still be reachable when the main port has vanished. */
  readonly hasControlPort: boolean;
  vanished(): boolean;
  vanish(ms: number | undefined): Promise<void>;
  comeBack(): Promise<void>;
  /** Forgets everything: behaviour, counts, ledger, orders, requests. */
  reset(): void;
}

/** An answer, and what is to be done once it has been sent. */
export interface Controlling {
  readonly answer: Answer;
  readonly afterwards?: () => void;
}

const noStore = { 'Cache-Control': 'no-store' };

/** The endpoints that steer the server. They always behave. */
export async function control(
  exchange: Exchange,
  onMainPort: boolean,
  controlled: Controlled,
): Promise<Controlling> {
  try {
    return await command(exchange, onMainPort, controlled);
  } catch (error) {
    if (error instanceof BadBehaviour) return { answer: json(400, { error: error.message }, noStore) };
    throw error;
  }
}

async function command(
  exchange: Exchange,
  onMainPort: boolean,
  controlled: Controlled,
): Promise<Controlling> {
  const { script, ledger, log } = controlled;
  const { method, path, query } = exchange;
  switch (`${method} ${path.replace(/^\/control\/?/, '')}`) {
    case 'GET ':
      return ok({ vanished: controlled.vanished(), rules: script.rules(), inFlight: log.report().inFlight });

    case 'GET behaviour':
      return ok(script.rules());
    case 'POST behaviour':
      return ok(script.add(rule(exchange.body)), 201);
    case 'DELETE behaviour':
      script.remove(query.has('id') ? wholeNumber(query.get('id'), 'id') : undefined);
      return ok(script.rules());

    case 'POST hang-all':
      return ok(script.add({ match: {}, behaviour: { hang: true } }), 201);
    case 'POST fail-all': {
      const { status: asked = 503, ...rest } = parse(exchange.body, ['status', 'retryAfter']);
      const behaviour = behaviourFromJson({ status: status(asked, 'status'), ...rest });
      return ok(script.add({ match: {}, behaviour }), 201);
    }
    case 'POST heal':
      script.remove();
      await controlled.comeBack();
      return ok({ healed: true });
    case 'POST reset':
      controlled.reset();
      await controlled.comeBack();
      return ok({ reset: true });

    case 'POST vanish': {
      const { ms } = parse(exchange.body, ['ms']);
      const forMs = ms === undefined ? undefined : wholeNumber(ms, 'ms');
      if (forMs === undefined && !controlled.hasControlPort) {
        return ok(
          { error: 'Without a control port nobody could call the server back; say for how many ms' },
          409,
        );
      }
      // Asked on the port that is to vanish, the answer has to leave first.
      if (onMainPort)
        return { ...ok({ vanished: true }, 202), afterwards: () => void controlled.vanish(forMs) };
      await controlled.vanish(forMs);
      return ok({ vanished: true });
    }
    case 'POST return':
      await controlled.comeBack();
      return ok({ vanished: false });

    case 'GET ledger': {
      const [key, pathPrefix] = [query.get('key'), query.get('path') ?? ''];
      return ok(
        ledger
          .entries()
          .filter((entry) => entry.path.startsWith(pathPrefix) && (key ?? entry.key) === entry.key),
      );
    }
    case 'DELETE ledger':
      ledger.clear();
      return ok([]);

    case 'GET requests':
      return ok(log.report(query.get('path') ?? ''));
    case 'DELETE requests':
      log.clear();
      return ok(log.report());

    default:
      return ok({ error: `There is no ${method} ${path}` }, 404);
  }
}

function ok(value: unknown, status = 200): Controlling {
  return { answer: json(status, value, noStore) };
}

function rule(body: Buffer) {
  const { match = {}, behaviour, times } = parse(body, ['match', 'behaviour', 'times']);
  const { method, pathPrefix } = fields(match, 'match', ['method', 'pathPrefix']);
  if (times === 0) throw new BadBehaviour('times must be at least 1');
  return {
    match: {
      ...(method !== undefined && { method: string(method, 'match.method').toUpperCase() }),
      ...(pathPrefix !== undefined && { pathPrefix: string(pathPrefix, 'match.pathPrefix') }),
    },
    behaviour: behaviourFromJson(behaviour),
    ...(times !== undefined && { times: wholeNumber(times, 'times') }),
  };
}

function parse(body: Buffer, known: readonly string[]): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (error) {
    throw new BadBehaviour(`The body is not JSON: ${(error as Error).message}`);
  }
  return fields(value, 'The body', known);
}
