export const tool = { name: 'property-list', description: 'List properties' };
