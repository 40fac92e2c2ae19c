import { ClientSource, type DevtoolsParts, type Observed } from './source.ts';
import { Dock, type Layout } from './view/dock.ts';
import { styleSheet } from './view/styles.ts';

const TAG = 'holdfast-devtools';

/** What is kept in `localStorage`: whether the dock is open, its height, its tab. */
const KEPT = 'holdfast-devtools';

const LAYOUT: Layout = { isOpen: false, height: 45, tab: 'Calls' };

/** How often what goes by the clock is shown again, in ms. */
const TICK = 1_000;

export interface HoldfastDevtools extends HTMLElement {
  /** Shows a client. @returns ends it. */
  attach(client: Observed, parts?: DevtoolsParts): () => void;
}

/**
 * Shows what a client does, in a dock at the bottom of the page. For development: nothing of it is in a bundle that does not
 * import it.
 *
 * @param client A client, or a fetch of `createFetch`.
 * @param parts The values that the client was made with.
 * @returns removes the client from the devtools, and the devtools with the last one.
 *
 * @example
 * const box = outbox();
 * const api = createClient({ partition: 'public', outbox: box });
 * if (import.meta.env.DEV) import('holdfast/devtools').then(({ devtools }) => devtools(api, { outbox: box }));
 */
export function devtools(client: Observed, parts: DevtoolsParts = {}): () => void {
  // On a server there is nothing to show it in.
  if (typeof document === 'undefined') return () => {};
  const element = elementOf(document);
  const detach = element.attach(client, parts);
  return () => {
    detach();
    if (element.hasAttribute('added') && !element.hasAttribute('attached')) element.remove();
  };
}

/** The element of the page, or a new one. Another copy of the library may have defined it: then that one shows our client. */
function elementOf(page: Document): HoldfastDevtools {
  if (!customElements.get(TAG)) define(TAG);
  const there = page.querySelector(TAG);
  const element = there ?? page.createElement(TAG);
  if (!isOurs(element)) return foreign(page);
  if (!there) add(element, page);
  return element;
}

/** The attribute says that no page has written the element itself. */
function add(element: HTMLElement, page: Document): void {
  element.toggleAttribute('added', true);
  (page.body ?? page.documentElement).append(element);
}

const isOurs = (element: Element): element is HoldfastDevtools =>
  typeof (element as Partial<HoldfastDevtools>).attach === 'function';

/** The name is taken by something else: this element takes another one. */
function foreign(page: Document): HoldfastDevtools {
  const tag = `${TAG}-2`;
  if (!customElements.get(tag)) define(tag);
  const there = page.querySelector(tag);
  const element = (there ?? page.createElement(tag)) as HoldfastDevtools;
  if (!there) add(element, page);
  return element;
}

/** Defined on use: a module that only defined it when it was imported would be a side effect, and fail on a server. */
function define(tag: string): void {
  class Devtools extends HTMLElement implements HoldfastDevtools {
    #sources: readonly ClientSource[] = [];
    #attached = 0;
    #dock: Dock | undefined;
    #frame = 0;
    #timer: ReturnType<typeof setInterval> | undefined;
    readonly #changed = (): void => {
      this.#frame ||= requestAnimationFrame(() => this.#render());
    };

    connectedCallback(): void {
      this.#dock ??= this.#newDock();
      this.#dock.show(this.#sources);
      this.#timer = setInterval(this.#changed, TICK);
      addEventListener('online', this.#changed);
      addEventListener('offline', this.#changed);
      this.#changed();
    }

    disconnectedCallback(): void {
      clearInterval(this.#timer);
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
      removeEventListener('online', this.#changed);
      removeEventListener('offline', this.#changed);
    }

    attach(client: Observed, parts: DevtoolsParts = {}): () => void {
      const source = new ClientSource(client, parts, `client ${++this.#attached}`, this.#changed);
      this.#show([...this.#sources, source]);
      return () => {
        source.close();
        this.#show(this.#sources.filter((other) => other !== source));
      };
    }

    #show(sources: readonly ClientSource[]): void {
      this.#sources = sources;
      this.toggleAttribute('attached', sources.length > 0);
      this.#dock?.show(sources);
      if (this.isConnected) this.#changed();
    }

    #newDock(): Dock {
      const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
      root.adoptedStyleSheets = [styleSheet()];
      const layout = keptLayout();
      const dock = new Dock({ ...layout, isOpen: layout.isOpen || this.hasAttribute('open') }, keepLayout);
      root.append(...dock.elements);
      return dock;
    }

    #render(): void {
      this.#frame = 0;
      for (const source of this.#sources) source.count();
      this.#dock?.update(Date.now());
    }
  }
  customElements.define(tag, Devtools);
}

function keptLayout(): Layout {
  try {
    const { isOpen, height, tab } = JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Partial<Layout>;
    return {
      isOpen: isOpen === true,
      height: typeof height === 'number' ? height : LAYOUT.height,
      tab: typeof tab === 'string' ? tab : LAYOUT.tab,
    };
  } catch {
    // Storage may be forbidden.
    return LAYOUT;
  }
}

function keepLayout(layout: Layout): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify(layout));
  } catch {
    // It is then the default after a reload.
  }
}
