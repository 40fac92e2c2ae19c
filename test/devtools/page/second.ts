/** Another part of the page, with a copy of the library of its own. */
import { createFetch } from 'holdfast';
import { devtools } from 'holdfast/devtools';

devtools(createFetch(), { name: 'second copy' });
