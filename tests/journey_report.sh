#!/usr/bin/env bash
# fathom report: the toy's chain, and a chain of an acoustic inversion whose files are made here. What is drawn is looked at in the
# pixels (depth is down, a hole is a hole), numbers of the captions are held against numpy's, the page is well-formed and has
# nothing from outside, and what is missing, odd or wrong is left out with a sentence or refused.
# shellcheck source=tests/journey.inc
source "$(dirname "${BASH_SOURCE[0]}")/journey.inc"
command -v gnuplot >/dev/null || skip "no gnuplot"
$python -c 'import h5py' 2>/dev/null || skip "no h5py"

# ---- files of a chain, and what is to be seen in them ----

cat >chain.py <<'PY'
import h5py, numpy, os, sys
rng = numpy.random.default_rng(3)
rows, columns, unknowns = 12, 30, 360
def folder(name):
    os.makedirs('chain/' + name, exist_ok=True)
    return 'chain/' + name + '/'
def results(name, lines):
    open(folder(name) + 'results.tsv', 'w').write('name\tvalue\tunit\n' + ''.join('%s\t%s\t%s\n' % l for l in lines))
z = numpy.arange(rows)[:, None] * 25. + numpy.zeros(columns)
truth = 1500 + 5 * z                        # slow above, fast below
prior_std = numpy.full((rows, columns), 200.)
prior_std[0] = 0                            # frozen
std = prior_std * numpy.where(numpy.arange(columns) < columns // 2, 0.1, 1.)   # the data see the left half
mean = truth + std * rng.standard_normal((rows, columns))
with h5py.File(folder('samples') + 'maps.h5', 'w') as f:
    for name, v in dict(mean=mean, std=std, p10=mean - 1.28 * std, p50=mean, p90=mean + 1.28 * std, prior_mean=truth - 50,
                        prior_std=prior_std, truth=truth).items():
        f[name] = v
    f['mean'].attrs.update(spacing_z=25., spacing_x=25., unit='m/s')
with h5py.File(folder('samples') + 'samples.h5', 'w') as f:
    f['model'] = mean + std * rng.standard_normal((6, rows, columns))
    f['x'] = rng.standard_normal((6, unknowns))
    f.attrs['settings'] = '-title <b>"5 & 6"</b>\n'
results('samples', [('snr', '30.25', 'dB'), ('<i>odd</i>', '1', '<u>')])
shots, receivers, samples = 3, 7, 50
observed = rng.standard_normal((shots, receivers, samples))
predicted = observed + 0.3 * rng.standard_normal(observed.shape)
with h5py.File(folder('evaluate') + 'evaluation.h5', 'w') as f:
    f['observed'], f['predicted'] = observed.ravel(), predicted.ravel()
    f['predicted'].attrs.update(shots=shots, receivers=receivers, samples=samples, dt=0.004)
    f['chi2_shot'], f['chi2_shot_mean_model'] = [1.1, 0.9, 1.0], [0.8, 0.9, 1.2]
    f['chi2_shot_data'] = [350.] * 3
    f.attrs['verdict'] = 'consistent: chi^2 of the data 1 <ok>; not verified: no -calibration'
results('evaluate', [('minus_elbo', '12345.6', 'nats'), ('k_hat', '1.25', '1'), ('time_operator', '30', 's'), ('time_idle', '10', 's')])
def checkpoint(name, kl, solves, validation=None):
    with h5py.File(folder(name) + 'checkpoint.h5', 'w') as f:
        f.attrs['schema_version'] = 1
        f['settings'] = '-epochs 3\n'
        f.create_group('ledger').attrs.update(useful_F=int(solves[-1]), useful_J=0, useful_JT=int(solves[-1]), spent_F=4321, spent_J=0,
                                              spent_JT=0, diagnostic_F=77, diagnostic_J=0, diagnostic_JT=0)
        f['architecture/x_shape'] = [1, rows, columns, 1]
        f['history/evaluation_F'], f['history/kl'] = solves, kl
        f['history/kl_se'] = numpy.full(len(kl), 1.5)
        f['history/evaluation_step'] = numpy.arange(len(kl)) * 100.
        f['history/objective'] = 400 + 200 * numpy.exp(-numpy.arange(300) / 50.)
        if validation is not None:
            f['history/validation_nll'], f['history/validation_nll_se'] = validation, numpy.full(len(validation), 2.)
    results(name, [('minus_elbo', kl[-1], 'nats'), ('failed_fraction', '0.25' if name == 'refine' else '0', '1')])
checkpoint('refine', numpy.array([500., 410, 401, 400]), numpy.array([0., 160, 320, 480]))
checkpoint('scratch', numpy.array([5000., 800, 450, 420]), numpy.array([0., 800, 4000, 9000]))
checkpoint('pretrain', numpy.array([0., 0, 0]), numpy.array([0., 0, 0]), numpy.array([600., 450, 410]))
open('chain/samples/warnings.txt', 'w').write('12 % of the traces are skipped <cycles>\n')
results('simulate', [('pairs', '500', '1'), ('solves_F', '1500', 'solves')])
with h5py.File(folder('calibrate') + 'calibration.h5', 'w') as f:
    f['z'], f['rank'] = rng.standard_normal((16, 40)), rng.integers(0, 101, (16, 40)).astype(float)
    f['rank'].attrs['draws'] = 100
results('calibrate', [('rms_z', '1.02', '1'), ('coverage_50', '0.49', '1')])
shot = shots // 2
e = numpy.sum((observed[shot] - predicted[shot]) ** 2) / numpy.sum(observed[shot] ** 2)
inside = numpy.abs(mean[1:] - truth[1:]) <= 2 * std[1:]
open('expected.txt', 'w').write('what is left, %.1f %% of the energy\n; %.1f %% of the nodes lie within 2\n' % (100 * e, 100 * inside.mean()))
PY
$python chain.py

cat >look.py <<'PY'
# pixels of PNG files: python3 look.py FILE X,Y ... with shares of width and height; one colour a line
import sys, zlib, struct
def pixels(path):
    data, at, image = open(path, 'rb').read(), 8, b''
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        assert zlib.crc32(kind + body) == struct.unpack('>I', data[at + 8 + n:at + 12 + n])[0]
        if kind == b'IHDR': width, height, bits, colour, _, _, interlaced = struct.unpack('>IIBBBBB', body)
        if kind == b'IDAT': image += body
        at += 12 + n
    assert bits == 8 and colour in (2, 6) and not interlaced
    c = 3 if colour == 2 else 4
    raw, rows, before = zlib.decompress(image), [], bytearray(width * c)
    for y in range(height):
        how, line = raw[y * (width * c + 1)], bytearray(raw[y * (width * c + 1) + 1:(y + 1) * (width * c + 1)])
        for i in range(len(line)):
            a, b, d = (line[i - c] if i >= c else 0), before[i], (before[i - c] if i >= c else 0)
            p = a + b - d
            paeth = a if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - d) else b if abs(p - b) <= abs(p - d) else d
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[how]) & 255
        rows.append(line)
        before = line
    return width, height, c, rows
width, height, c, rows = pixels(sys.argv[1])
print('size', width, height)
for word in sys.argv[2:]:
    x, y = (float(v) for v in word.split(','))
    at = int(x * width) * c
    print(' '.join(str(v) for v in rows[int(y * height)][at:at + 3]))
PY

cat >page.py <<'PY'
# the page: XML, one section after the other, the figures' bytes those of the files, nothing from outside
import base64, glob, sys, xml.etree.ElementTree as tree
folder, sections = sys.argv[1], sys.argv[2:]
text = open(folder + '/report.html', encoding='utf-8').read()
assert text.startswith('<!DOCTYPE html>')
root = tree.fromstring(text[len('<!DOCTYPE html>'):])
assert [h.text for h in root.iter('h2')] == sections, [h.text for h in root.iter('h2')]
images = [i.get('src') for i in root.iter('img')]
assert all(i.startswith('data:image/png;base64,') for i in images)
files = sorted(open(f, 'rb').read() for f in glob.glob(folder + '/*.png'))
assert sorted(base64.b64decode(i.split(',')[1], validate=True) for i in images) == files
captions = [''.join(c.itertext()) for c in root.iter('figcaption')]
assert len(captions) == len(images) and all(len(c) > 10 for c in captions)
for i in root.iter('img'): assert i.get('alt') and int(i.get('width')) > 300 and int(i.get('height')) > 200
names = {e.tag for e in root.iter()}
assert not names & {'script', 'link', 'iframe', 'object', 'a', 'b1', 'i', 'u'}, names
assert 'http' not in text and 'url(' not in text
print(''.join(root.itertext()))
PY
# page DIR TEXT SECTION... - a good page; its words to DIR.words
page() {
  local dir=$1 text=$2
  shift 2
  if $python page.py "$dir" "$@" >"$dir.words" 2>page.log; then good "$text"; else bad "$text: $(tail -n 1 page.log)"; fi
}
# says DIR TEXT - the page's words have it
says() { check "$1 says: $2" grep -Fq -e "$2" "$1.words"; }

all=()
for name in simulate pretrain refine scratch samples evaluate calibrate; do all+=("-report_$name" "chain/$name"); done
head=('Key results' 'Refinement: what the wave solves bought' Pretraining)
model=(Maps 'Posterior samples' 'Vertical profiles')
tail=('Wave solves' 'Where the time went' 'Results and settings' 'Not on this page')

# ---- the whole page ----

run 1 single report "${all[@]}" -report_title '<script>alert("1 & 2")</script>' -out whole
page whole "the whole page" "${head[@]}" "${model[@]}" 'Fit of the data' Calibration "${tail[@]}"
figure "figures" "$(value whole figures)" 18 18
while read -r words; do says whole "$words"; done <expected.txt
says whole '<script>alert("1 & 2")</script>'
says whole '-title <b>"5 & 6"</b>'
says whole '12 % of the traces are skipped <cycles>'
says whole '25 % of the samples were dropped'
says whole 'chi^2 of the data 1 <ok>'
says whole 'There is no pairs.h5 in the folder of simulate.'
check "its verdict is amber" grep -q '<div class="verdict open"><b>consistent</b>' whole/report.html
check "wave solves: refine's ledger" grep -Fq '<td>refine</td><td class="n">480</td><td class="n">0</td><td class="n">480</td><td class="n">4321</td>' \
  whole/report.html
check "wave solves: of the pairs" grep -Fq '<td>simulate</td><td class="n">1500</td>' whole/report.html
check "seconds: three quarters in the operator" grep -Fq '<td>operator</td><td class="n">30</td><td class="n">75.0 %</td>' whole/report.html
check "no file is left half" test -z "$(find whole -name '*.tmp')"

# colour DIR/NAME X,Y LOW HIGH WHAT - blue minus red of a pixel: viridis and cividis are blue below and yellow above
colour() {
  local tint
  tint=$($python look.py "$1.png" "$2" | awk 'NR == 2 {print $3 - $1}')
  figure "$5" "$tint" "$3" "$4"
}
colour whole/truth 0.4,0.2 40 255 "truth: slow, blue, above"
colour whole/truth 0.4,0.74 -255 30 "truth: fast, greener, below"
colour whole/data_share 0.25,0.5 -255 -50 "what the data say: yellow where they do"
colour whole/data_share 0.55,0.5 20 255 "what the data say: blue where they do not"
check "what the data say: blank where nothing is unknown" test "$($python look.py whole/data_share.png 0.25,0.185 | tail -n 1)" = '255 255 255'
size=$($python look.py whole/truth.png | head -n 1)
check "a map is as wide as its grid: $size" test "$size" = 'size 1005 446' # 690 and 690 * 12 / 30, with margins of 315 and 170

launch 2 double report "${all[@]}" -report_title two -out two >two.log 2>&1 || bad "two ranks"
for name in j mean data_share profiles shot chi2 calibration; do
  check "two ranks draw the same: $name" cmp whole/$name.png two/$name.png
done

# ---- the toy ----

toy_options=(-batch_size 64 -flow_depth 3 -flow_hidden 16)
run 1 single simulate -options_file_yaml "$toy/pairs.yaml" -pairs_count 200 -out toy/simulate
run 1 single pretrain -pairs toy/simulate/pairs.h5 "${toy_options[@]}" -epochs 4 -out toy/pretrain
run 1 single refine -options_file_yaml "$toy/refine.yaml" -warm_start toy/pretrain/checkpoint.h5 -epochs 1 -evaluation_latents 200 -evaluate_every 4 \
  "${toy_options[@]}" -out toy/refine
run 1 single sample -warm_start toy/refine/checkpoint.h5 -samples 500 -truth 2,4 -out toy/samples
run 1 single report -report_simulate toy/simulate -report_pretrain toy/pretrain -report_refine toy/refine -report_samples toy/samples -out toy/report
page toy/report "the toy's page" "${head[@]}" 'Marginals of the posterior' 'Wave solves' 'Where the time went' 'Results and settings'
says toy/report 'No evaluation'
figure "the toy's figures: J, losses, marginals, a pair" "$(value toy/report figures)" 4 4
check "J of a known evidence is a KL" grep -q 'KL per unknown (2 unknowns)' toy/report.words
run 1 double report -report_refine toy/refine -out toy/one
page toy/one "refine alone" 'Key results' 'Refinement: what the wave solves bought' 'Wave solves' 'Where the time went' 'Results and settings'

# ---- without gnuplot ----

mkdir empty
mpirun -q -n 1 env PATH="$work/empty" "$build/fathom" report "${all[@]}" -out without >without.log 2>&1 || bad "no gnuplot: ends with 0"
check "no gnuplot: one sentence with the package" grep -q 'warning: .*no program gnuplot; install the package gnuplot-nox' without.log
page without "no gnuplot: the page has its tables" 'Key results' "${tail[@]}"
figure "no gnuplot: figures" "$(value without figures)" 0 0
printf '#!/bin/sh\necho "gnuplot> plot  line 0: unknown terminal type" >&2; exit 1\n' >empty/gnuplot
chmod +x empty/gnuplot
mpirun -q -n 1 env PATH="$work/empty" "$build/fathom" report "${all[@]}" -out cannot >cannot.log 2>&1 || bad "a gnuplot that cannot: ends with 0"
check "a gnuplot that cannot draw: one sentence" grep -q 'warning: .*pngcairo.*gnuplot-nox' cannot.log

# ---- what is odd is left out ----

cp -r chain odd
$python - <<'PY'
import h5py, numpy
with h5py.File('odd/samples/maps.h5', 'a') as f:
    del f['p10'], f['std'], f['prior_mean']
    f['std'] = numpy.ones(5)
    f['prior_mean'] = 'a text'
    f['mean'].attrs['unit'] = "m/s'; `touch pwned`; \"$(touch pwned)\"\n"
    f['truth'][:] = numpy.nan
with h5py.File('odd/samples/samples.h5', 'a') as f:
    del f['model'], f['x']
    f['x'] = numpy.ones(3)
with h5py.File('odd/evaluate/evaluation.h5', 'a') as f:
    f['predicted'].attrs['receivers'] = 8
    f['predicted'].attrs['dt'] = 'soon'
    del f['chi2_shot'], f['chi2_shot_mean_model']
    f['chi2_shot'] = 3.
    f['chi2_shot_mean_model'] = numpy.full(4, numpy.nan)
    f.attrs['verdict'] = 'not trusted: all of it'
with h5py.File('odd/refine/checkpoint.h5', 'a') as f:
    f['history/kl'][:] = numpy.nan
    del f['architecture'], f['history/kl_se'], f['ledger']
with h5py.File('odd/pretrain/checkpoint.h5', 'a') as f:
    del f['history/objective'], f['history/evaluation_step']
    f['history/objective'] = numpy.full(30, numpy.inf)
with h5py.File('odd/calibrate/calibration.h5', 'a') as f:
    del f['rank'].attrs['draws']
    f['z'][:] = numpy.nan
open('odd/evaluate/results.tsv', 'wb').write(b'\xff\xfe\t1\t\x01\nno tabs\n\t\t\n' + b'x' * 500 + b'\t3\n')
PY
odd=("${all[@]/#chain/odd}")
run 1 double report "${odd[@]}" -out odd/report
check "odd files: the page is well-formed" $python -c "
import xml.etree.ElementTree as tree
tree.fromstring(open('odd/report/report.html', encoding='utf-8').read()[15:])"
check "odd files: a red verdict" grep -q '<div class="verdict bad"><b>not trusted</b>' odd/report/report.html
check "odd files: what does not fit is said" grep -q '/std has 5 values where the mean has 360' odd/report/report.html
check "odd files: shots that are none are said" grep -q '3 shots of 8 receivers and 50 samples are not the 1050' odd/report/report.html
check "odd files: the mean is drawn" test -s odd/report/mean.png
check "odd files: what needs a std is not" test ! -e odd/report/std.png -a ! -e odd/report/data_share.png
check "odd files: words of a file are no commands" test ! -e pwned

# ---- what is refused ----

refused "nothing" "error: nothing to report on: give -report_refine or -report_samples" 1 double report -out no
refused "no such folder" "error: -report_refine 'nowhere': No such file or directory" 1 double report -report_refine nowhere -out no
refused "a file" "error: -report_samples 'chain.py': Not a directory" 1 double report -report_samples chain.py -out no
refused "over a run" "error: -report_refine and -out are the same folder 'chain/refine'" 1 double report -report_refine chain/refine -out chain/refine
check "a run's results stay" grep -q failed_fraction chain/refine/results.tsv
refused "a folder of something else" "error: neither a checkpoint.h5 in 'empty' nor a samples.h5 or maps.h5" 1 double report -report_refine empty -out no
refused "another truth" "error: -truth_model has 2 values where the maps have 360" 1 double report "${all[@]}" -truth_model 1,2 -out no
printf 'no HDF5' >odd/samples/maps.h5
refused "a broken file" "error: .*odd/samples/maps.h5" 2 double report "${odd[@]}" -out no
mkdir -p full/report.html
refused "a page that cannot be written" "error: cannot write 'full/report.html'" 2 double report "${all[@]}" -out full
verdict
