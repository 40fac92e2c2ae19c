/** A place in a circular list, or the list itself. To join and to leave costs no memory, unlike in a `Set`. */
export class Link {
  /** Alone, it is its own neighbour. */
  before: this = this;
  after: this = this;

  get isAlone(): boolean {
    return this.after === this;
  }

  /** Joins at the end. */
  join(list: this): void {
    this.before = list.before;
    this.after = list;
    this.before.after = this;
    list.before = this;
  }

  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}
