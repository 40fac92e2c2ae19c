/** A page in this one, which is gone from one moment to the next. */
export interface ShortLived {
  readonly window: Window;
  end(): void;
}

/** Loads this very page in a frame; after its removal all its work ends as when a window is closed. */
export async function shortLived(): Promise<ShortLived> {
  const frame = document.createElement('iframe');
  frame.src = location.href;
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
  document.body.append(frame);
  await loaded;
  return { window: frame.contentWindow as Window, end: () => frame.remove() };
}
