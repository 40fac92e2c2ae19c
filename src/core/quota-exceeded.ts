/** Whether a store failed because its quota is exceeded, by the names of the platforms. */
export function isQuotaExceeded(error: unknown): boolean {
  for (let each = error, depth = 0; each instanceof Object && depth < 5; depth++) {
    if ((each as { name?: unknown }).name === 'QuotaExceededError') return true;
    each = (each as { cause?: unknown }).cause;
  }
  return false;
}
