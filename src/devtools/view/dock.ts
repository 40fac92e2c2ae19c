import type { Tone } from '../model/words.ts';
import type { ClientSource, Summary } from '../source.ts';
import { cachePanel } from './cache.ts';
import { callsPanel } from './calls.ts';
import { circuitsPanel } from './circuits.ts';
import { attribute, button, children, chip, closes, h, write } from './dom.ts';
import { faultsPanel } from './faults.ts';
import { logPanel } from './log.ts';
import { outboxPanel } from './outbox.ts';
import { resizer } from './resize.ts';
import { tabs } from './tabs.ts';

/** What is remembered of the dock, over reloads. */
export interface Layout {
  readonly isOpen: boolean;
  /** Percent of the window's height. */
  readonly height: number;
  readonly tab: string;
}

/** The badge and the dock: they show sources, and know nothing of clients. */
export class Dock {
  readonly elements: readonly HTMLElement[];
  readonly #badge: HTMLButtonElement;
  readonly #dock: HTMLElement;
  readonly #glances: readonly HTMLElement[];
  readonly #status = h('p', { class: 'unseen', role: 'status' });
  readonly #choice: HTMLSelectElement;
  readonly #tabs;
  readonly #remember: (layout: Layout) => void;
  #sources: readonly ClientSource[] = [];
  #height: number;
  #isOpen = false;

  /** @param remember Called with each change of the layout. */
  constructor({ isOpen, height, tab }: Layout, remember: (layout: Layout) => void) {
    this.#height = height;
    this.#tabs = tabs(
      [callsPanel(), circuitsPanel(), cachePanel(), outboxPanel(), logPanel(), faultsPanel()],
      () => {
        this.#changed();
        this.update(Date.now());
      },
    );
    this.#glances = [h('span', { class: 'glance' }), h('span', { class: 'glance' })];
    const [ofBadge, ofDock] = this.#glances as [HTMLElement, HTMLElement];
    this.#badge = h(
      'button',
      { type: 'button', class: 'badge', onclick: () => this.open(true) },
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
      h('b', {}, 'holdfast'),
      ofBadge,
    );
    this.#choice = h('select', { 'aria-label': 'Client', onchange: () => this.update(Date.now()) });
    const close = button('✕', () => this.open(false), { class: 'icon', 'aria-label': 'Close devtools' });
    this.#dock = h('section', { class: 'dock', 'aria-label': 'holdfast devtools', hidden: true });
    this.#dock.append(
      resizer(this.#dock, height, (now) => {
        this.#height = now;
        this.#changed();
      }),
      h(
        'div',
        { class: 'head' },
        h('span', { class: 'brand' }, 'holdfast'),
        this.#tabs.list,
        this.#choice,
        ofDock,
        close,
      ),
      this.#tabs.content,
    );
    this.#dock.addEventListener('keydown', (event) => {
      if (closes(event)) this.open(false);
    });
    this.elements = [this.#badge, this.#dock, this.#status];
    this.#remember = () => {};
    this.#tabs.select(tab);
    if (isOpen) this.#show(true);
    this.#remember = remember;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** By the user: the focus goes along. */
  open(isOpen: boolean): void {
    this.#show(isOpen);
    if (isOpen) this.#tabs.focus();
    else this.#badge.focus();
  }

  show(sources: readonly ClientSource[]): void {
    this.#sources = sources;
    children(
      this.#choice,
      sources.map(({ name }) => name),
      () => h('option'),
      (option, name) => write(option, name),
    );
    this.#choice.hidden = sources.length < 2;
    this.update(Date.now());
  }

  /** Called at most once per frame. */
  update(now: number): void {
    this.#glance();
    const source = this.#sources[Math.max(0, this.#choice.selectedIndex)];
    if (this.#isOpen && source) this.#tabs.current.update(source, now);
  }

  #show(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#dock.hidden = !isOpen;
    this.#badge.hidden = isOpen;
    this.#changed();
    this.update(Date.now());
  }

  #changed(): void {
    this.#remember({ isOpen: this.#isOpen, height: this.#height, tab: this.#tabs.current.name });
  }

  #glance(): void {
    const facts = glanceAt(this.#sources.map((source) => source.summary()));
    for (const glance of this.#glances)
      children(
        glance,
        facts,
        () => h('span'),
        (element, [text, tone]) => chip(element, text, tone),
      );
    const worst = facts.some(([, tone]) => tone === 'bad') ? ' bad' : facts.length > 0 ? ' waiting' : '';
    attribute(this.#badge, 'class', `badge${worst}`);
    const alarms = facts.filter(([, tone]) => tone === 'bad').map(([text]) => text);
    // Announced: what is bad, and not each write that waits.
    write(this.#status, alarms.length > 0 ? `holdfast: ${alarms.join(', ')}` : '');
  }
}

/** What to know at a glance; nothing, if all is well. */
function glanceAt(summaries: readonly Summary[]): [text: string, tone: Tone][] {
  const sum = (of: (summary: Summary) => number): number =>
    summaries.reduce((total, summary) => total + of(summary), 0);
  const circuits = sum(({ openCircuits }) => openCircuits);
  const waiting = sum((summary) => summary.waiting);
  const dead = sum((summary) => summary.dead);
  const facts: [string, Tone, boolean][] = [
    ['offline', 'bad', summaries.some(({ isOffline }) => isOffline)],
    [`${circuits} ${circuits === 1 ? 'circuit' : 'circuits'} open`, 'bad', circuits > 0],
    [`${waiting} waiting`, 'waiting', waiting > 0],
    [`${dead} dead ${dead === 1 ? 'letter' : 'letters'}`, 'bad', dead > 0],
  ];
  return facts.filter(([, , holds]) => holds).map(([text, tone]) => [text, tone]);
}
