import type { HoldfastEvent } from 'holdfast';
import { type Listener, recordOf, type Severity } from 'holdfast/log';

/** The used part of Sentry: the SDK itself, one of its scopes, or a compatible object. */
interface Reporter {
  addBreadcrumb(crumb: Told & { category: string; timestamp: number; data: object }): unknown;
  captureEvent(event: Told & { fingerprint: string[]; tags: Tags; extra: Record<string, unknown> }): unknown;
}

interface Told {
  message: string;
  level: 'info' | 'warning' | 'error';
}

interface Tags {
  [name: string]: string | undefined;
}

const LEVELS: Record<Severity, Told['level']> = {
  expected: 'info',
  unexpected: 'warning',
  critical: 'error',
};

/** They say nothing that the end of the call does not. */
const QUIET: readonly HoldfastEvent['type'][] = ['call-started', 'attempt-started', 'attempt-ended'];

/** The same is reported once in so long, in ms: an outage is one thing, however many calls it costs. */
const ONCE_IN = 60_000;

/** For `onEvent`: what is critical, and calls that failed, as events; the rest as the story that led to them. */
export function reporting(to: Reporter): Listener {
  const reports = new Map<string, { at: number; unsaid: number }>();

  return (event) => {
    if (QUIET.includes(event.type)) return;
    const now = Date.now();
    // Plain data with nothing secret in it: no query, header or body, and of errors code and category.
    const { severity, type, ...facts } = recordOf(event, now);
    const level = LEVELS[severity];
    const what = codeOf(facts);
    const message = `holdfast: ${type}${what && ` ${what}`}`;
    const isNews = severity === 'critical' || (severity === 'unexpected' && type === 'call-ended');
    if (!isNews)
      return void to.addBreadcrumb({
        category: 'holdfast',
        message,
        level,
        timestamp: now / 1000,
        data: facts,
      });

    const { origin, operation } = facts as Tags;
    const fingerprint = ['holdfast', type, what, origin ?? '', operation ?? ''];
    const known = reports.get(fingerprint.join(' '));
    if (known && now - known.at < ONCE_IN) return void known.unsaid++;
    reports.set(fingerprint.join(' '), { at: now, unsaid: 0 });
    const extra = { ...facts, ...(known && { sinceTheLastReport: known.unsaid }) };
    to.captureEvent({ message, level, fingerprint, tags: { origin, operation, code: what }, extra });
  };
}

/** What went wrong: the code of an error, the status of an answer, the reason of a dead letter. */
function codeOf({ error, reason, status }: Record<string, unknown>): string {
  const { code, name } = (error ?? {}) as { code?: string; name?: string };
  return String(code ?? name ?? reason ?? status ?? '');
}
