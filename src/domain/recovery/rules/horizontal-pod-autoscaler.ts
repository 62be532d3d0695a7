import { dropAnnotations } from '../edit.ts';
import type { KindRules } from './rule.ts';

const status = /^autoscaling\.alpha\.kubernetes\.io\/(conditions|current-metrics)$/;

export const horizontalPodAutoscalerRules: KindRules = {
  kinds: ['HorizontalPodAutoscaler.autoscaling'],
  rules: [
    {
      about:
        'annotations autoscaling.alpha.kubernetes.io/conditions, autoscaling.alpha.kubernetes.io/current-metrics',
      does: 'drops',
      because: 'they are the status of the older API version',
      edit: (autoscaler) => dropAnnotations(autoscaler, (name) => status.test(name)),
    },
  ],
};
