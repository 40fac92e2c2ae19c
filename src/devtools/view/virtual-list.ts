import { attribute, h, style, write } from './dom.ts';

export interface Rows<T> {
  readonly length: number;
  at(index: number): T | undefined;
}

export interface RowView<T> {
  readonly element: HTMLElement;
  update(item: T): void;
}

interface ListOptions<T> {
  readonly label: string;
  readonly empty: string;
  keyOf(item: T): string;
  make(): RowView<T>;
  /** Called with the selected item. */
  selected(item: T | undefined): void;
  /** Called when the last rows are near. */
  nearEnd?(): void;
}

/** Pixels; the style sheet has the same. */
const ROW = 30;

let lists = 0;

/**
 * A listbox of any length that has elements only for the rows in sight. It measures nothing while it renders: the browser
 * tells its height and how far it is scrolled.
 */
export class VirtualList<T> {
  readonly element: HTMLElement;
  readonly #options: ListOptions<T>;
  readonly #box: HTMLElement;
  readonly #space: HTMLElement;
  readonly #empty: HTMLElement;
  readonly #pool: (RowView<T> & { shown?: string })[] = [];
  readonly #id = `list-${++lists}`;
  #rows: Rows<T> = [];
  #pushed = 0;
  #height = 0;
  #scrolled = 0;
  #selected: string | undefined;

  constructor(options: ListOptions<T>) {
    this.#options = options;
    this.#space = h('div', { class: 'space', role: 'presentation' });
    this.#box = h(
      'div',
      { class: 'rows', role: 'listbox', tabindex: 0, 'aria-label': options.label },
      this.#space,
    );
    this.#empty = h('p', { class: 'empty' }, options.empty);
    this.element = h('div', { class: 'list' }, this.#box, this.#empty);
    this.#box.addEventListener('scroll', () => {
      this.#scrolled = this.#box.scrollTop;
      this.#render();
    });
    this.#box.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(([entry]) => {
      this.#height = entry?.contentRect.height ?? 0;
      this.#render();
    }).observe(this.#box);
  }

  /** @param pushed How many were ever added in front: a list that is scrolled stays at the same rows. */
  show(rows: Rows<T>, pushed = 0): void {
    const added = pushed - this.#pushed;
    this.#pushed = pushed;
    this.#rows = rows;
    style(this.#space, 'height', `${rows.length * ROW}px`);
    if (added > 0 && this.#scrolled > 0) {
      this.#scrolled = Math.min(this.#scrolled + added * ROW, Math.max(0, rows.length * ROW - this.#height));
      this.#box.scrollTop = this.#scrolled;
    }
    this.#box.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0;
    this.#render();
  }

  say(empty: string): void {
    write(this.#empty, empty);
  }

  select(item: T | undefined): void {
    this.#selected = item && this.#options.keyOf(item);
    this.#options.selected(item);
    this.#render();
  }

  focus(): void {
    this.#box.focus();
  }

  #render(): void {
    const { length } = this.#rows;
    const first = Math.max(0, Math.min(Math.floor(this.#scrolled / ROW), length - 1));
    const last = Math.min(length, first + Math.ceil(this.#height / ROW) + 2);
    while (this.#pool.length < last - first) this.#pool.push(this.#newRow());
    let active: string | undefined;
    for (const [place, row] of this.#pool.entries()) {
      // A row keeps its element while the list is scrolled by less than a page.
      const index = first + ((place - (first % this.#pool.length) + this.#pool.length) % this.#pool.length);
      const item = index < last ? this.#rows.at(index) : undefined;
      if (row.element.hidden === (item !== undefined)) row.element.hidden = item === undefined;
      if (item === undefined) continue;
      style(row.element, 'transform', `translateY(${index * ROW}px)`);
      const isSelected = this.#options.keyOf(item) === this.#selected;
      attribute(row.element, 'aria-selected', String(isSelected));
      attribute(row.element, 'aria-posinset', String(index + 1));
      attribute(row.element, 'aria-setsize', String(length));
      if (isSelected) active = row.element.id;
      row.update(item);
    }
    attribute(this.#box, 'aria-activedescendant', active);
    if (last >= length - 5 && length > 0) this.#options.nearEnd?.();
  }

  #newRow(): RowView<T> {
    const row = this.#options.make();
    row.element.classList.add('row');
    row.element.id = `${this.#id}-${this.#pool.length}`;
    row.element.setAttribute('role', 'option');
    row.element.addEventListener('click', () => {
      const index = Number(row.element.getAttribute('aria-posinset')) - 1;
      this.select(this.#rows.at(index));
    });
    this.#space.append(row.element);
    return row;
  }

  #key(event: KeyboardEvent): void {
    const { length } = this.#rows;
    const page = Math.max(1, Math.floor(this.#height / ROW) - 1);
    const now = this.#indexOfSelected();
    const to = new Map([
      ['ArrowDown', now + 1],
      ['ArrowUp', Math.max(0, now - 1)],
      ['PageDown', now + page],
      ['PageUp', Math.max(0, now - page)],
      ['Home', 0],
      ['End', length - 1],
    ]);
    const wanted = to.get(event.key);
    if (wanted === undefined || length === 0) return;
    event.preventDefault();
    const index = Math.min(length - 1, wanted);
    const top = index * ROW;
    if (top < this.#scrolled) this.#scrollTo(top);
    else if (top + ROW > this.#scrolled + this.#height) this.#scrollTo(top + ROW - this.#height);
    this.select(this.#rows.at(index));
  }

  #scrollTo(top: number): void {
    this.#box.scrollTop = top;
    this.#scrolled = top;
  }

  #indexOfSelected(): number {
    if (this.#selected === undefined) return -1;
    for (let index = 0; index < this.#rows.length; index++) {
      const item = this.#rows.at(index);
      if (item && this.#options.keyOf(item) === this.#selected) return index;
    }
    return -1;
  }
}
