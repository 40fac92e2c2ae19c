import type { Reachability } from '../../observability/connectivity.ts';
import type { Reason } from '../../policies/outbox/queue/entry.ts';
import { failureText } from './words.ts';

/** Failures by their codes, as sentences. */
const SENTENCES: Readonly<Record<string, string>> = {
  network: 'The origin could not be reached',
  'timeout-attempt': 'The origin did not respond in time',
  'timeout-total': 'The origin did not respond in time',
  'timeout-idle': 'The response stalled',
  silence: 'The origin was silent for longer than respondAfter',
  'circuit-open': 'The circuit of the origin is open: nothing was sent',
  'rate-limit': 'The origin asked to wait, or its rate limit is reached: nothing was sent',
  'bulkhead-full': 'Too many calls were under way: nothing was sent',
  'bulkhead-wait': 'Too many calls were under way: nothing was sent',
  redirected: 'The request was redirected to another origin, as by a captive portal',
  'not-accepted': 'isDelivered() says that the response is not the origin’s',
  attempts: 'All attempts have failed',
  expired: 'It has waited for longer than it may',
  'unknown-outcome': 'It may have taken effect, and must not be sent twice (at-most-once)',
  'body-lost': 'Its body is no longer stored',
  unreadable: 'It is encrypted with a key that is not available',
  'storage-newer': 'A newer version of the application has written the store',
  closed: 'The client is closed',
};

/** A failure as a sentence, with its code for the documentation. */
export function sentenceOf(cause: unknown): string {
  const text = failureText(cause);
  const status = /^status (\d+)$/.exec(text)?.[1];
  if (status !== undefined) return `The origin responded with status ${status}.`;
  const sentence = SENTENCES[text];
  return sentence === undefined ? `It failed: ${text}.` : `${sentence} (${text}).`;
}

const UNREACHABLE: Readonly<Record<Exclude<Reachability, 'online'>, string>> = {
  offline: 'The browser is offline: nothing can be sent.',
  captive: 'The network shows a login page (captive portal): nothing can be sent.',
  unreachable: 'The probe of connectivity() gets no response: nothing can be sent.',
};

/** The circumstances of a cached response. */
export interface ServedFacts {
  readonly source: 'cache' | 'stale';
  readonly cause?: unknown;
  /** Whether a request was sent before it was served. */
  readonly wasSent: boolean;
  readonly reachability: Reachability;
}

/** A reason: a few words for a row, and a sentence. */
export interface Why {
  readonly is: string;
  readonly why: string;
}

/** Why a call got a cached response. */
export function whyServed({ source, cause, wasSent, reachability }: ServedFacts): Why {
  if (cause !== undefined) {
    const is = failureText(cause);
    return reachability !== 'online' && is === 'network'
      ? { is: reachability, why: UNREACHABLE[reachability] }
      : { is, why: sentenceOf(cause) };
  }
  if (source === 'stale')
    return { is: 'by its mode', why: 'Its mode serves a stale response at once, and revalidates it.' };
  return wasSent
    ? { is: 'confirmed', why: 'The origin confirmed that it has not changed (304).' }
    : { is: 'fresh', why: 'It is fresh: by its headers the origin allows it without a request (max-age).' };
}

/** What is known of an outbox and of the lane of an entry. */
export interface SendFacts {
  readonly isSending: boolean;
  readonly reachability: Reachability;
  readonly needsUpdate: boolean;
  readonly paused: 'application' | 'credentials' | undefined;
  readonly isLanePaused: boolean;
  /** The dead letter that stops the lane. */
  readonly stoppedBy: string | undefined;
  /** What the lane sends before it. */
  readonly ahead: { readonly name: string; readonly why: string } | undefined;
  readonly now: number;
}

/** The fields of an entry that say why it was not sent. */
export interface Unsent {
  readonly state: 'waiting' | 'dead-letter';
  readonly notBefore: number;
  readonly fromRetryAfter?: boolean;
  readonly reason?: Reason;
}

/** Why an entry has not been delivered. */
export function whyNotSent(entry: Unsent, facts: SendFacts): Why {
  const { reason } = entry;
  const last = reason && sentenceOf(reason.status ?? reason);
  if (entry.state === 'dead-letter')
    return { is: 'dead letter', why: `${deadReason(reason)} It is not sent again unless you replay it.` };
  if (facts.isSending) return { is: 'sending', why: 'It is on the wire.' };
  const held = heldAll(facts) ?? heldInLane(facts);
  if (held) return held;
  if (entry.notBefore > facts.now)
    return {
      is: 'next try',
      why: entry.fromRetryAfter ? `${last} It asked to wait (Retry-After).` : (last ?? ''),
    };
  return { is: 'waiting', why: 'It is sent next.' };
}

/** What keeps all entries. */
export function heldAll({
  needsUpdate,
  reachability,
  paused,
}: Pick<SendFacts, 'needsUpdate' | 'reachability' | 'paused'>): Why | undefined {
  if (needsUpdate) return { is: 'reload needed', why: NEEDS_UPDATE };
  if (reachability !== 'online') return { is: reachability, why: UNREACHABLE[reachability] };
  if (paused === 'credentials') return { is: 'paused', why: REFUSED };
  return paused && { is: 'paused', why: 'The outbox is paused: nothing is sent until you resume it.' };
}

function heldInLane({ stoppedBy, isLanePaused, ahead }: SendFacts): Why | undefined {
  if (stoppedBy !== undefined)
    return {
      is: 'lane stopped',
      why: `The dead letter ${stoppedBy} stops the lane. Replay that one, or remove it.`,
    };
  if (isLanePaused)
    return { is: 'lane paused', why: 'The lane is paused: nothing of it is sent until you resume it.' };
  return (
    ahead && {
      is: 'behind another',
      why: `The lane keeps its order: ${ahead.name} is sent first. ${ahead.why}`,
    }
  );
}

const NEEDS_UPDATE =
  'A newer version of the application has taken over the outbox: this page sends nothing until it is reloaded.';

const REFUSED =
  'The origin refused the credentials (status 401): nothing is sent until you sign in and resume the outbox.';

const deadReason = (reason: Reason | undefined): string => {
  if (!reason) return 'It was given up.';
  if (reason.code === 'http') return `The origin refused it with status ${reason.status}.`;
  const { status } = reason;
  return `${sentenceOf({ code: reason.code })}${status === undefined ? '' : ` ${sentenceOf(status)}`}`;
};
