import type { Clock } from '../../core/contract.ts';
import { notify } from '../../primitives/emitter.ts';
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

  /** @param isEnough False: the figure is of too little to begin an alarm with; one that goes on may end. */
  look(name: keyof Thresholds, value: number, isEnough = true): void {
    const threshold = this.#settings.thresholds[name];
    if (threshold === undefined) return;
    const alarm = { name, value, threshold, at: this.#clock.now() };
    const isRaised = this.#raised.has(name);
    if (!isRaised && isEnough && value > 0 && value >= threshold) {
      this.#raised.set(name, { ...alarm, raised: true });
      this.#notify({ ...alarm, raised: true });
    } else if (isRaised && (value === 0 || value < threshold * OVER)) {
      this.#raised.delete(name);
      this.#notify({ ...alarm, raised: false });
    }
  }

  #notify(alarm: Alarm): void {
    if (this.#settings.onAlarm) notify(this.#settings.onAlarm, alarm);
  }
}
