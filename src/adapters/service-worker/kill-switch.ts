import { sharedValue } from '../../stores/shared-value.ts';

const isSwitch = (value: unknown): value is 'off' => value === 'off';

/** Switches off a service worker that does harm. */
export interface KillSwitch {
  /** The worker responds to nothing more and drains nothing, now and after a restart. */
  turnOff(): Promise<void>;
  /** The worker responds again. */
  turnOn(): Promise<void>;
  /** `false` until `ready`. */
  readonly isOff: boolean;
  /** Settles when it is known which. */
  readonly ready: Promise<void>;
  /** Calls `listener` when it was turned, also in another tab. @returns ends the subscription. */
  subscribe(listener: () => void): () => void;
  /** Ends the connection to other tabs. */
  close(): void;
}

/**
 * The switch of the service workers of an application: for its pages, such as after they have read of a fault in a file
 * of settings, and for the worker itself.
 *
 * @param name As the worker's. Default `'holdfast-worker'`.
 *
 * @example
 * const worker = killSwitch();
 * if (settings.withoutWorker) await worker.turnOff();
 */
export function killSwitch(name = 'holdfast-worker'): KillSwitch {
  const note = sharedValue(name, isSwitch);
  return {
    turnOff: () => note.set('off'),
    turnOn: () => note.set(undefined),
    get isOff() {
      return note.value === 'off';
    },
    ready: note.ready,
    subscribe: note.subscribe,
    close: note.close,
  };
}
