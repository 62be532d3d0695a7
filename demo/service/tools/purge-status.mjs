export const tool = { name: 'purge-status', description: 'Status of purges' };
