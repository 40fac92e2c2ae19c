import source from '../client.ts?raw';
import { byId, write } from '../dom.ts';

/** The client of this page as it is, and not as somebody once described it. */
export function showCode(): void {
  const code = source
    .split('\n')
    .filter((line) => !line.startsWith('import { tell }') && !line.startsWith('import { origin }'))
    .join('\n');
  write(byId('code'), code.trim());
}
