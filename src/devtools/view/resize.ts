import { attribute, h } from './dom.ts';

/** Percent of the window's height. */
const LEAST = 20;
const MOST = 90;
const STEP = 5;

/** The upper edge of the dock: moved by a pointer or by arrow keys. @param resized Called when the user lets go. */
export function resizer(dock: HTMLElement, initial: number, resized: (height: number) => void): HTMLElement {
  const edge = h('div', {
    class: 'resize',
    role: 'separator',
    tabindex: 0,
    'aria-orientation': 'horizontal',
    'aria-label': 'Height of the devtools',
    'aria-valuemin': LEAST,
    'aria-valuemax': MOST,
  });
  let height = initial;

  function set(wanted: number): void {
    height = Math.round(Math.min(MOST, Math.max(LEAST, wanted)));
    dock.style.setProperty('--height', `${height}vh`);
    attribute(edge, 'aria-valuenow', String(height));
  }
  set(initial);

  edge.addEventListener('keydown', ({ key }) => {
    const to = new Map([
      ['ArrowUp', height + STEP],
      ['ArrowDown', height - STEP],
      ['Home', MOST],
      ['End', LEAST],
    ]);
    const wanted = to.get(key);
    if (wanted === undefined) return;
    set(wanted);
    resized(height);
  });
  edge.addEventListener('pointerdown', (event) => {
    edge.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  edge.addEventListener('pointermove', (event) => {
    if (edge.hasPointerCapture(event.pointerId)) set((100 * (innerHeight - event.clientY)) / innerHeight);
  });
  edge.addEventListener('lostpointercapture', () => resized(height));
  return edge;
}
