/** Whether the browser is asked to save data: https://wicg.github.io/savedata/. False if the runtime does not say. */
export function prefersReducedData(): boolean {
  const { connection } = (globalThis.navigator ?? {}) as { connection?: { saveData?: boolean } };
  return connection?.saveData === true;
}

/** Whether this is a hidden page. */
export function isPageHidden(): boolean {
  const { document } = globalThis as { document?: { visibilityState?: string } };
  return document?.visibilityState === 'hidden';
}
