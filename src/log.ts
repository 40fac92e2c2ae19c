export {
  type ConsoleLike,
  type ConsoleListenerOptions,
  consoleListener,
  type JsonLinesOptions,
  jsonLines,
  type Listener,
  listeners,
  sampled,
} from './observability/log/listeners.ts';
export { type Message, type MessageFacts, type Messages, userMessage } from './observability/log/messages.ts';
export { type LogRecord, recordOf } from './observability/log/record.ts';
export { redact } from './observability/log/redact.ts';
export { type Severity, severityOf } from './observability/log/severity.ts';
