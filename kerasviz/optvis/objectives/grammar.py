"""The grammar of targets, for help texts that do not wait for TensorFlow."""

GRAMMAR = """\
mixed4c:100             a channel: the unit at all positions
mixed4c:100@center      a neuron: the unit at the centre; @y,x at another position
blocks.3:100@5          the unit at token or step 5; @class at the class token, @y,x at a patch
mixed4c:0-15            many channels; mixed4c:* all of them
mixed4c                 the whole layer (DeepDream)
attention:head-2        an attention head; attention:head-2/6 if the graph does not tell 6 heads
logit:goldfish logit:1  a class before the softmax, by label or number; logit:0-9, logit:*
prob:1                  a class after the softmax
weight:fc1.weight:5     a unit of the layer that has this weight
mixed4c:random-7        the random direction number 7 of a layer
mixed4c@v.npy           the direction in a file: of C numbers, or one in each row
mixed4c@v.npz:nmf[3]    row 3 of the array nmf; [3,7], [0-9]; v.safetensors:KEY[3] alike
mixed4c@v.npy#cosine=2  times a power of the cosine, advised for concepts; mixed4c:random-7#cosine=2
caricature:mixed4c      with --from PHOTO: exaggerate what the layer sees in it; #cosine=1 less
caricature:mixed4c#of=logit:goldfish   of what in it contributes to another target
inversion:mixed4c       with --from PHOTO: reproduce the photo from what the layer knows of it
style                   with --from PHOTO --style PHOTO: paint the first in the style of the second
style:mixed4c           one layer of that style; content:mixed4c of the photo that is painted
penalty:tv              of the image: l1, tv (total variation) or blur; subtract it
mixed4c@sae_weights.safetensors#latent=123   of a sparse autoencoder (SAELens, sparsify)
"a:1 + b:2"             sums, differences and multiples, with spaces: "a:10 - 0.5*a:11"
Positions count from 0, negative ones from the end: @-1 is the last token, @-1,-1 the last corner.
"""
