import { useMutation } from '@tanstack/react-query';
import { signIn } from './api.ts';
import { Problem } from './Problem.tsx';

export function SignIn({ onSignedIn }: { onSignedIn: (user: string) => void }) {
  const { mutate, isPending, error } = useMutation({ mutationFn: signIn, onSuccess: onSignedIn });
  return (
    <form action={(fields) => mutate(String(fields.get('user')))}>
      <label>
        Name <input name="user" required />
      </label>
      <button type="submit" disabled={isPending}>
        Sign in
      </button>
      <Problem error={error} />
    </form>
  );
}
