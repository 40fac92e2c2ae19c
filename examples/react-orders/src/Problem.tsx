import { userMessage } from 'holdfast/log';

export const Problem = ({ error }: { error: Error | null }) =>
  error && <p role="alert">{userMessage(error)}</p>;
