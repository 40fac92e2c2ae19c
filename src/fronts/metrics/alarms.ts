import type { Clock } from '../../core/contract.ts';
import type { Alarm, MetricsSettings, Thresholds } from './options.ts';

/** Below this share of its threshold an alarm is over: a figure that trembles does not ring for ever. */
const OVER = 0.9;

/** Which thresholds are passed. */
export class Alarms {
  readonly #settings: MetricsSettings;
  readonly #clock: Clock;
  readonly #raised = new Map<keyof Thresholds, Alarm>();

  constructor(settings: MetricsSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get raised(): Alarm[] {
    return [...this.#raised.values()];
  }

  /** @param value `undefined`: it is not known. */
  look(name: keyof Thresholds, value: number | undefined): void {
    const threshold = this.#settings.thresholds[name];
    if (threshold === undefined || value === undefined) return;
    const alarm = { name, value, threshold, at: this.#clock.now() };
    const isRaised = this.#raised.has(name);
    if (!isRaised && value >= threshold) {
      this.#raised.set(name, { ...alarm, raised: true });
      this.#tell({ ...alarm, raised: true });
    } else if (isRaised && value < threshold * OVER) {
      this.#raised.delete(name);
      this.#tell({ ...alarm, raised: false });
    }
  }

  clear(): void {
    this.#raised.clear();
  }

  #tell(alarm: Alarm): void {
    try {
      this.#settings.onAlarm?.(alarm);
    } catch {
      // A listener cannot fail a call.
    }
  }
}
