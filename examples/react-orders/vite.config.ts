import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { orderServer } from './server.ts';

export default defineConfig({
  plugins: [
    react(),
    {
      name: 'order-server',
      configureServer({ middlewares }) {
        middlewares.use('/api', orderServer());
      },
    },
  ],
  // In the repository of holdfast, `holdfast` is its source.
  resolve: { tsconfigPaths: true },
});
