export { createClient } from '@fetchkit/ffetch';
