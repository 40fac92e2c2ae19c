import { describe } from 'vitest';

/**
 * In all places at once, as their tests mostly wait; within a place one test after the other.
 *
 * A test that polls takes `expect` from its context: the imported one does not know which of them calls.
 *
 * @param title With `$name` for what a place has under it.
 */
export function sideBySide<Place extends object>(
  title: string,
  places: readonly Place[],
  tests: (place: Place) => void,
): void {
  describe.each(places)(title, { concurrent: true }, (place) => {
    // What is inside would inherit the other value.
    describe('in turn', { concurrent: false }, () => tests(place));
  });
}
