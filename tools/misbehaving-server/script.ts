import { type Behaviour, behaviourFromQuery, modes, type Step } from './behaviour.ts';
import { chance } from './chance.ts';

/** A behaviour that stands until it is removed, or used up. */
export interface Rule {
  readonly id: number;
  readonly match: { readonly method?: string; readonly pathPrefix?: string };
  readonly behaviour: Behaviour;
  /** For how many more requests; without it, for all. */
  readonly times?: number;
}

/** The reaction to one request, independent of other requests. */
export type Manner = Omit<Behaviour, 'times' | 'sequence' | 'failRate' | 'failModes' | 'seed' | 'key'>;

interface Asker {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

const anyFailure: readonly Step[] = [503, 429, 'reset', 'resetBody', 'stall', 'hang', 'unknown'];

export type Script = ReturnType<typeof createScript>;

/** Decides how each request is treated: by the rules that stand, and by what its own query asks, which wins. */
export function createScript() {
  let rules: Rule[] = [];
  let lastId = 0;
  const counts = new Map<string, number>();

  function count(key: string, looking: boolean): number {
    const nth = counts.get(key) ?? 0;
    if (!looking) counts.set(key, nth + 1);
    return nth;
  }

  function use(rule: Rule): void {
    if (rule.times === undefined) return;
    const left = rule.times - 1;
    rules = rules.flatMap((other) => (other !== rule ? other : left > 0 ? { ...rule, times: left } : []));
  }

  function manner(behaviour: Behaviour, defaultKey: string, looking: boolean): Manner {
    const {
      times,
      sequence,
      failRate,
      failModes = anyFailure,
      seed = 1,
      key = defaultKey,
      ...steady
    } = behaviour;
    if (times === undefined && sequence === undefined && failRate === undefined) return steady;

    const nth = count(key, looking);
    if (times !== undefined && nth >= times) return well(steady);
    if (sequence !== undefined) return step(steady, sequence[Math.min(nth, sequence.length - 1)] ?? 'ok');
    if (failRate === undefined) return steady;
    if (chance(seed, `${key} whether`, nth) >= failRate) return well(steady);
    return step(steady, failModes[Math.floor(chance(seed, `${key} how`, nth) * failModes.length)] ?? 'ok');
  }

  return {
    /** @param looking Leaves all counts as they are: a preflight must not use up what the request is to get. */
    settle({ method, path, query }: Asker, { looking = false } = {}): Manner {
      const asked = { ...behaviourFromPath(path, query), ...behaviourFromQuery(ownQuery(path, query)) };
      const rule = rules.find(
        ({ match }) => (match.method ?? method) === method && path.startsWith(match.pathPrefix ?? ''),
      );
      const standing = rule === undefined ? {} : manner(rule.behaviour, `rule ${rule.id}`, looking);
      if (rule !== undefined && !looking) use(rule);
      return { ...standing, ...manner(asked, `${method} ${path}`, looking) };
    },
    /** The newest rule that matches is the one that counts. */
    add(rule: Omit<Rule, 'id'>): Rule {
      const added = { id: ++lastId, ...rule };
      rules = [added, ...rules];
      return added;
    },
    remove(id?: number): void {
      rules = id === undefined ? [] : rules.filter((rule) => rule.id !== id);
    },
    rules: (): readonly Rule[] => rules,
    reset(): void {
      rules = [];
      counts.clear();
    },
  };
}

function step(steady: Manner, step: Step): Manner {
  if (typeof step === 'number') return { ...(step < 300 ? well(steady) : steady), status: step };
  return step === 'ok' ? well(steady) : { ...steady, ...modes[step] };
}

/** Keeps what describes a good answer and forgets what spoils it. */
function well({ body, size, type, header, auth, honourKey, keepAlive }: Manner): Manner {
  return Object.fromEntries(
    Object.entries({ body, size, type, header, auth, honourKey, keepAlive }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}

/** `/status/503` and `/redirect-to?url=…&status=307` are short ways to ask for a behaviour. */
function behaviourFromPath(path: string, query: URLSearchParams): Behaviour {
  const [, status] = /^\/status\/(\d+)$/.exec(path) ?? [];
  if (status !== undefined) return behaviourFromQuery(new URLSearchParams({ status }));
  if (path !== '/redirect-to') return {};
  return behaviourFromQuery(
    new URLSearchParams({ redirect: query.get('url') ?? '/', redirectStatus: query.get('status') ?? '302' }),
  );
}

function ownQuery(path: string, query: URLSearchParams): URLSearchParams {
  if (path !== '/redirect-to') return query;
  const rest = new URLSearchParams(query);
  rest.delete('status');
  return rest;
}
