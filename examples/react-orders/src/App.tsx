import { QueryClientProvider, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { signOut } from './api.ts';
import { Orders, Unsent } from './Orders.tsx';
import { Problem } from './Problem.tsx';
import { queries } from './queries.ts';
import { SignIn } from './SignIn.tsx';
import { session } from './session.ts';

export function App() {
  const [user, setUser] = useState(() => session.current?.user);
  const { mutate, isPending, error } = useMutation(
    {
      mutationFn: signOut,
      onSuccess() {
        setUser(undefined);
        queries.clear(); // what TanStack Query has in memory belongs to no user
      },
    },
    queries,
  );

  return (
    <QueryClientProvider client={queries}>
      {user === undefined && <SignIn onSignedIn={setUser} />}
      {/* During the sign-out, no component reads or writes as this user. */}
      {user !== undefined && !isPending && (
        <>
          <header>
            {user}
            <button type="button" onClick={() => mutate('keep')}>
              Sign out, keep unsent orders
            </button>
            <button type="button" onClick={() => mutate('remove')}>
              Sign out, remove unsent orders
            </button>
            <Problem error={error} />
          </header>
          <main>
            <Orders />
            <Unsent />
          </main>
        </>
      )}
    </QueryClientProvider>
  );
}
