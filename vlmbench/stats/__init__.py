"""Intervals, tests and plans: numbers in, numbers out.

A metric gives each sample one additive vector, and a function turns a sum of vectors into the
metric's value. Everything here is built on such sums, within clusters of samples that are not
independent; each module names the paper that its method is from. docs/statistics.md shows how often
each of them is right.
"""

from __future__ import annotations

from vlmbench.stats.agreement import correlation_interval as correlation_interval
from vlmbench.stats.agreement import table_interval as table_interval
from vlmbench.stats.clusters import Labels as Labels
from vlmbench.stats.clusters import clustered as clustered
from vlmbench.stats.clusters import label_errors as label_errors
from vlmbench.stats.estimates import ValueInterval as ValueInterval
from vlmbench.stats.estimates import share_interval as share_interval
from vlmbench.stats.estimates import value_interval as value_interval
from vlmbench.stats.kinds import FEW as FEW
from vlmbench.stats.kinds import Kind as Kind
from vlmbench.stats.kinds import is_binary as is_binary
from vlmbench.stats.multiplicity import holm as holm
from vlmbench.stats.paired import EffectivePairs as EffectivePairs
from vlmbench.stats.paired import PairedDifference as PairedDifference
from vlmbench.stats.paired import PairedTail as PairedTail
from vlmbench.stats.paired import limits_of as limits_of
from vlmbench.stats.paired import paired_difference as paired_difference
from vlmbench.stats.paired import paired_tail as paired_tail
from vlmbench.stats.paired import with_interval as with_interval
from vlmbench.stats.planning import effect_at as effect_at
from vlmbench.stats.planning import margin_at as margin_at
from vlmbench.stats.planning import power_above as power_above
from vlmbench.stats.planning import samples_for_effect as samples_for_effect
from vlmbench.stats.planning import samples_for_margin as samples_for_margin
from vlmbench.stats.pooling import mover as mover
from vlmbench.stats.pooling import pooled as pooled
from vlmbench.stats.position import UNREAD as UNREAD
from vlmbench.stats.position import position_p_values as position_p_values
from vlmbench.stats.proportions import proportion_interval as proportion_interval
from vlmbench.stats.resampling import percentile_interval as percentile_interval
from vlmbench.stats.resampling import resampled_totals as resampled_totals
from vlmbench.stats.sequential import ConfidenceSequence as ConfidenceSequence
from vlmbench.stats.values import Combine as Combine
from vlmbench.stats.values import Count as Count
from vlmbench.stats.values import Floats as Floats
from vlmbench.stats.values import Interval as Interval
from vlmbench.stats.values import exact_totals as exact_totals
from vlmbench.stats.values import mean as mean
from vlmbench.stats.values import value_of as value_of
