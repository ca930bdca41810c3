"""Step 58, VGG16, with small stand-ins for the downloads: there is no net here."""
import os
import tempfile

import numpy as np
from PIL import Image

import dezero
from dezero.datasets import ImageNet
from dezero.models import VGG16

folder = tempfile.TemporaryDirectory()
os.environ["DEZERO_HOME"] = folder.name

# the stand-ins: weights for images of 32 x 32, the names of the classes, and a picture
standin = VGG16()
with dezero.no_grad():
    standin(np.zeros((1, 3, 32, 32), np.float32))
standin.fc8.b.data[340] = 100
standin.save_weights(os.path.join(folder.name, "vgg16.npz"))
with open(os.path.join(folder.name, "imagenet1000_clsidx_to_labels.txt"), "w") as file:
    file.write(str({i: "zebra" if i == 340 else f"class {i}" for i in range(1000)}))
stripes = np.zeros((60, 80, 3), np.uint8)
stripes[:, ::8] = 255
Image.fromarray(stripes).save("zebra.png")

# the program
img = Image.open("zebra.png")
x = VGG16.preprocess(img, size=(32, 32))
x = x[np.newaxis]

model = VGG16(pretrained=True)
with dezero.test_mode():
    y = model(x)
predict_id = np.argmax(y.data)

labels = ImageNet.labels()
print(labels[predict_id])
assert labels[predict_id] == "zebra"

model.plot(x, to_file="vgg.svg")
assert os.path.getsize("vgg.svg") > 10_000
folder.cleanup()
