export { devtools, faults } from 'holdfast/devtools';
