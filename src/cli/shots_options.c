#include "cli/options.h"

#define SHOTS "shots"

const fm_option fm_shots_options[] = {
    {"shots", FM_OPTION_ARRAY, "", SHOTS,
     "recorded shots: FILE.sgy (SEG-Y with sources and receivers in its trace headers), or "
     "FILE.h5:/dataset [shot][receiver][time] with -shots_dt, -acoustic_sources and "
     "-acoustic_receivers"},
    {"shots_dt", FM_OPTION_REAL, "", SHOTS, "sample interval in s, where the file has none"},
    {"shots_start", FM_OPTION_REAL, "0", SHOTS,
     "time of the first sample after the shot in s (HDF5; SEG-Y says it, bytes 109)"},
    {"shots_factor", FM_OPTION_REAL, "1", SHOTS,
     "what recorded samples are multiplied by: the operator's unit, a point source with "
     "-acoustic_wavelet as its strength in (1/c^2) u_tt - lap u"},
    {"shots_elevation", FM_OPTION_TEXT, "up", SHOTS,
     "elevations in SEG-Y: up (above datum, as the standard has it) or down (they are depths)"},
    {"shots_origin", FM_OPTION_ARRAY, "0,0", SHOTS,
     "place of the model's first node, Z,X in m: depth below datum and distance along the "
     "line"},
    {"shots_receivers_most", FM_OPTION_INTEGER, "0", SHOTS,
     "most receivers of a layout that shots with unequal receivers share, those without a "
     "trace masked; 0: twice those of the largest shot"},
    {"shots_delay", FM_OPTION_REAL, "0", SHOTS,
     "s by which data and wavelet are later in the modelling: room for a zero-phase filter"},
    {"shots_band", FM_OPTION_ARRAY, "", SHOTS,
     "zero-phase band of data and wavelet in Hz: F1,F2,F3,F4 (Ormsby: 0 to F1, 1 from F2 to "
     "F3, 0 from F4, cosine tapers between) or LOW,HIGH for LOW/2,LOW,HIGH,1.25 HIGH"},
    {"shots_mute_velocity", FM_OPTION_REAL, "", SHOTS,
     "mute what comes before distance / velocity + -shots_mute_delay, m/s"},
    {"shots_mute_delay", FM_OPTION_REAL, "0", SHOTS,
     "s, of -shots_mute_velocity and -shots_mute_direct"},
    {"shots_mute_direct", FM_OPTION_ARRAY, "", SHOTS,
     "V,WINDOW in m/s and s: mute a window centred at distance / V + -shots_mute_delay"},
    {"shots_mute_offset", FM_OPTION_ARRAY, "", SHOTS,
     "MIN,MAX in m: mute traces whose distance of source and receiver is another"},
    {"shots_weights", FM_OPTION_ARRAY, "", SHOTS,
     "weight of each trace [shot][receiver], which divides its noise; 0: mute it"},
    {"shots_noise_std", FM_OPTION_ARRAY, "estimate", SHOTS,
     "std of white noise of the recorded samples times -shots_factor, a number or one a shot "
     "(what filter and resampling leave of it goes out), or estimate: from before the first "
     "arrival"},
    {"shots_noise_velocity", FM_OPTION_REAL, "", SHOTS,
     "estimate: fastest velocity in m/s that a first arrival can have; default: "
     "-acoustic_velocity_max"},
    {"shots_wavelet", FM_OPTION_ARRAY, "", SHOTS,
     "wavelet: FILE.sgy (its first trace), or FILE.h5:/dataset or a list with "
     "-shots_wavelet_dt"},
    {"shots_wavelet_dt", FM_OPTION_REAL, "", SHOTS, "its sample interval in s"},
    {"shots_wavelet_start", FM_OPTION_REAL, "0", SHOTS, "time of its first sample in s"},
    {"shots_wavelet_frequency", FM_OPTION_REAL, "", SHOTS,
     "or Ricker's with this peak frequency in Hz; default: as the operator's "
     "-acoustic_wavelet or -acoustic_wavelet_frequency say"},
    {"shots_wavelet_delay", FM_OPTION_REAL, "", SHOTS,
     "time of the Ricker wavelet's peak in s; default: 1.5 / frequency"},
    {"shots_wavelet_mismatch_ok", FM_OPTION_FLAG, "false", SHOTS,
     "only warn where the wavelet is at odds with the data"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};
