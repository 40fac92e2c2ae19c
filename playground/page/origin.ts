/** The origin that the page talks to, and the ways to break it: plain fetch, on a port that always behaves. */
export const origin = __ORIGIN__;

interface Trouble {
  readonly label: string;
  /** What the origin does then. */
  readonly says: string;
  /** The rule that the origin gets; none: it closes its port. */
  readonly rule?: { readonly match: object; readonly behaviour: object };
}

export const troubles: readonly Trouble[] = [
  {
    label: 'Hang',
    says: 'takes every request and never answers.',
    rule: { match: {}, behaviour: { hang: true } },
  },
  { label: 'Fail', says: 'answers everything with 503.', rule: { match: {}, behaviour: { status: 503 } } },
  { label: 'Vanish', says: 'is gone: it refuses every connection.' },
  {
    label: 'Lose answers',
    says: 'does what it is asked, but its answers are lost.',
    rule: { match: {}, behaviour: { unknown: true } },
  },
  {
    label: 'Reject writes',
    says: 'answers every write with 422, and reads as it should.',
    rule: { match: { method: 'POST' }, behaviour: { status: 422 } },
  },
];

export interface OriginState {
  /** Absent: the process that runs it cannot be reached. */
  readonly reachable: boolean;
  readonly trouble?: Trouble | undefined;
  /** Misbehaves in a way that is none of the page's. */
  readonly otherwise?: string | undefined;
  /** All writes that it has seen, how often they were sent, and how often they took effect. */
  readonly ledger?: { readonly writes: number; readonly sent: number; readonly applied: number };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

export async function look(): Promise<OriginState> {
  try {
    const [{ vanished, rules }, entries] = await Promise.all([control('GET', ''), control('GET', 'ledger')]);
    const sum = (name: string) => entries.reduce((all: number, entry: never) => all + entry[name], 0);
    const ledger = { writes: entries.length, sent: sum('seen'), applied: sum('applied') };
    if (vanished) return { reachable: true, ledger, trouble: troubles.find(({ rule }) => !rule) };
    const [rule] = rules;
    if (!rule) return { reachable: true, ledger };
    const { match, behaviour } = rule;
    const trouble = troubles.find((known) => same(known.rule, { match, behaviour }));
    return { reachable: true, ledger, trouble, otherwise: JSON.stringify(behaviour) };
  } catch {
    return { reachable: false };
  }
}

/** One trouble at a time: what it did before is over. */
export async function make({ rule }: Trouble): Promise<void> {
  await heal();
  await (rule ? control('POST', 'behaviour', rule) : control('POST', 'vanish'));
}

export const heal = (): Promise<void> => control('POST', 'heal');

async function control(method: string, command: string, body?: object) {
  const response = await fetch(`${origin.controlUrl}/control/${command}`, {
    method,
    body: body ? JSON.stringify(body) : null,
  });
  return response.json();
}
