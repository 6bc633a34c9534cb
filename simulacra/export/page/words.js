/* The texts of the page in each language; {names} are filled in. */
const WORDS = {
  en: {
    other: "中文", lead: "Family {family}, trained on {data}. It runs in this page: nothing is sent anywhere.",
    again: "New sample", more: "More samples", save: "Save as PNG", seed: "Seed", ms: "{ms} ms an image", samples: "Samples",
    variety: "Variety", manifold: "All latents on one page: drag", latents: "Latents that matter most",
    codes: "Codes", label: "Class", interpolation: "From one sample to another", middle: "Position",
    noise: "Noise beside the codes", checked: "Checked in this browser: the picture equals the model's own ({worst} of 255 grey levels apart at most).",
    failed: "This browser draws other pictures than the model: {worst} of 255 grey levels apart. Please use another browser.",
    about: "Exported by simulacra {version}. Licence of the weights: {licence}.",
    to: "To domain {to}", drop: "Drop a picture here, paste one, or choose a file.", choose: "Choose a picture", given: "Your picture", result: "Translated to {to}", back: "Translated back",
    cropped: "The picture is cropped to a square of {size} × {size} pixels, as the model was trained.", notPicture: "This file is not a picture that the browser can read.",
  },
  zh: {
    other: "English", lead: "{family} 模型，在 {data} 数据集上训练。模型就在本页面中运行，不会上传任何数据。",
    again: "重新采样", more: "更多样本", save: "保存为 PNG", seed: "随机种子", ms: "每张 {ms} 毫秒", samples: "样本",
    variety: "多样性", manifold: "潜空间流形：拖动查看", latents: "影响最大的潜变量",
    codes: "隐编码", label: "类别", interpolation: "两个样本之间的插值", middle: "位置",
    noise: "编码之外的噪声", checked: "已在本浏览器中校验：图像与原模型一致（最多相差 {worst}/255 个灰度级）。",
    failed: "本浏览器生成的图像与原模型不同：相差 {worst}/255 个灰度级，请换用其他浏览器。",
    about: "由 simulacra {version} 导出。权重许可证：{licence}。",
    to: "转换到域 {to}", drop: "将图片拖放或粘贴到此处，或选择文件。", choose: "选择图片", given: "输入图片", result: "转换到域 {to} 的结果", back: "再转换回来",
    cropped: "图片会裁剪为 {size} × {size} 像素的正方形，与训练时一致。", notPicture: "浏览器无法读取此图片文件。",
  },
};
let language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";

const say = (name, values = {}) => WORDS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");

/* Texts are written again when the language changes. */
const texts = [];
function told(element, name, values) {
  const write = () => { element.textContent = say(name, typeof values === "function" ? values() : values); };
  texts.push(write);
  write();
  return element;
}
function changeLanguage() {
  language = language === "en" ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const write of texts) write();
}
