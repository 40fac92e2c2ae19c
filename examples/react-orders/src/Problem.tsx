import { userMessage } from 'holdfast';

export const Problem = ({ error }: { error: Error | null }) =>
  error && <p role="alert">{userMessage(error)}</p>;
