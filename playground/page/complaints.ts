import { byId } from './dom.ts';

// Imported first: it also shows errors that keep the other modules from starting.
const complain = (error: unknown): void => {
  const box = byId('complaint');
  box.textContent = `Something is wrong with this page: ${error}`;
  box.hidden = false;
};

addEventListener('error', ({ error, message }) => complain(error ?? message));
addEventListener('unhandledrejection', ({ reason }) => complain(reason));
