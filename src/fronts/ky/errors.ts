import { NetworkError as KyNetworkError } from 'ky';
import { equipped, type Failure, HoldfastError, type NetworkError } from '../../core/errors.ts';

/** A write was accepted and has no result yet; nothing is wrong. `outbox.result(id)` gives it when it comes. */
export class QueuedError extends HoldfastError {
  override name = 'QueuedError';
  declare readonly id: string;

  constructor(id: string) {
    super(`the write is kept as ${id} and has no result yet`, {
      code: 'queued',
      category: 'unknown',
      transient: true,
    });
    Object.assign(this, { id });
  }
}

/** ky's own class, with our facts; its cause is the platform's error, as in ky. */
export function asKys(error: NetworkError, request: Request): KyNetworkError {
  const { code, category, transient, callId, origin, attempts, retryAt } = error as NetworkError & Failure;
  const cause = (error.cause as Error | undefined) ?? error;
  const facts = { code, category, transient, callId, origin, attempts, retryAt };
  return equipped(new KyNetworkError(request, { cause }), facts);
}
