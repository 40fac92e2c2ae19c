import type { FoundDatabase } from './page/database.ts';
import type { Found, Report } from './page/tell.ts';

/** The reports of a browser, and its leftovers. */
export interface Life {
  readonly database: FoundDatabase;
  /** Absent if it was killed before it knew. */
  found: Found | undefined;
  /** Whether it leaves a log that it will not be able to read. */
  isLogCut: boolean;
}

/** All reports of the pages. */
export class Heard {
  readonly lives: Life[] = [];
  readonly accepted = new Set<string>();
  /** With the status of the origin's response. */
  readonly answered = new Map<string, number>();
  /** With the code of the rejection. */
  readonly refused = new Map<string, string>();
  readonly troubles: string[] = [];
  /** The leftovers of the last life. */
  readonly ended = Promise.withResolvers<Found>();
  #waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = [];

  hear(report: Report): void {
    if ('begun' in report) this.lives.push({ database: report.begun, found: undefined, isLogCut: false });
    const life = this.lives.at(-1);
    if ('found' in report && life) life.found = report.found;
    if ('accepted' in report) this.accepted.add(report.accepted);
    if ('answered' in report) this.answered.set(report.answered, report.status);
    if ('refused' in report) this.refused.set(report.refused, report.code);
    if ('trouble' in report) this.troubles.push(`in life ${this.lives.length - 1}: ${report.trouble}`);
    if ('ended' in report) this.ended.resolve(report.ended);
    for (const { until, resolve } of this.#waiting) if (until()) resolve();
  }

  /** Until the page of this life has sent its first report. */
  begun(life: number): Promise<void> {
    return this.#once(() => this.lives.length > life);
  }

  /** Until so many more have been accepted. */
  further(writes: number): Promise<void> {
    const until = this.accepted.size + writes;
    return this.#once(() => this.accepted.size >= until);
  }

  #once(until: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (until()) resolve();
      else this.#waiting = [{ until, resolve }];
    });
  }
}
